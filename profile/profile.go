// Package profile describes a dialect of message encryption, as data.
//
// # Terms
//
// A token is a JWS (a signed payload, RFC 7515) or a JWE (an encrypted one, RFC 7516) in
// its compact serialization. To seal a message is to sign its payload and to encrypt the
// JWS, or to encrypt the payload alone. The key ID is the header parameter kid.
//
// # Use
//
// [Load] returns a profile that is part of this module ("riskos", "rdx") or that of a YAML
// file. A [Profile] is plain data: to change it, change a [Profile.Clone]. A lane uses a
// [Compiled] profile, which was validated and never changes.
//
// # Adding a dialect
//
// A dialect is a file and needs no code: start with the [Source] of a similar one. The page
// docs/profiles/riskos.md of the repository describes each word of the file, and
// docs/profiles/algorithms.md lists the algorithms that a profile may name.
package profile

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictyaml"
)

// Profile is one dialect. The field tags are the words of the file.
type Profile struct {
	// Name is 1 to 64 letters, digits, dots and dashes.
	Name string `yaml:"name"`
	// Title is the dialect's name for people.
	Title string `yaml:"title"`
	// Parties names the two sides.
	Parties Parties `yaml:"parties"`
	// Environments lists the partner's environments; the first is the default.
	Environments []string `yaml:"environments"`
	// Endpoints lists the requests that are sealed.
	Endpoints []Endpoint `yaml:"endpoints"`
	// Trigger is nil if every message of the endpoints is sealed.
	Trigger *Trigger `yaml:"trigger,omitempty"`
	// Request is the direction from client to server, Response the other.
	Request  Direction `yaml:"request"`
	Response Direction `yaml:"response"`
	// Errors defines the answer to each outcome.
	Errors Errors `yaml:"errors"`
	// Keys describes new key pairs.
	Keys Keys `yaml:"keys"`
	// Certificate is the policy for certificates.
	Certificate cert.Policy `yaml:"certificate"`
}

// Parties are the dialect's names of the two sides.
type Parties struct {
	Client string `yaml:"client"` // sends requests
	Server string `yaml:"server"` // answers them
}

// Trigger is the request header that announces a sealed request.
type Trigger struct {
	// Header is the header's name.
	Header string `yaml:"header"`
	// Value is the header's value, compared without regard to case.
	Value string `yaml:"value"`
	// Off lists values that mean the same as an absent header.
	Off []string `yaml:"off"`
}

// Direction is one direction of messages. Without Sign and Encrypt, they are not sealed.
type Direction struct {
	// Sign is the JWS inside, or nil if messages are not signed.
	Sign *Protection `yaml:"sign,omitempty"`
	// Encrypt is the JWE, or nil if messages are not encrypted.
	Encrypt *Protection `yaml:"encrypt,omitempty"`
	// Body says how the token is carried.
	Body Body `yaml:"body"`
	// UpstreamErrors is "plain" or "sealed", for responses outside 2xx to sealed requests.
	// Only the response has it.
	UpstreamErrors string `yaml:"upstream_errors"`
}

// Sealed reports whether the messages are encrypted.
func (d Direction) Sealed() bool { return d.Encrypt != nil }

// Protection describes one token: a JWS or a JWE.
type Protection struct {
	// Alg is the signature algorithm of a JWS, or the key encryption of a JWE.
	Alg Algorithms `yaml:"alg"`
	// Enc is the content encryption of a JWE; a JWS has none.
	Enc Algorithms `yaml:"enc"`
	// Kid, Typ and Cty are the header parameters of that name (RFC 7515 section 4.1).
	Kid HeaderParam `yaml:"kid"`
	Typ HeaderParam `yaml:"typ"`
	Cty HeaderParam `yaml:"cty"`
}

// Algorithms names the one to seal with and those to open.
type Algorithms struct {
	// Seal is the algorithm of the messages that are sent.
	Seal string `yaml:"seal"`
	// Open lists the algorithms that are accepted.
	Open []string `yaml:"open"`
	// LaneMayAdd lists those that one lane may also accept, for a stated reason.
	LaneMayAdd []string `yaml:"lane_may_add"`
}

// Words that stand for header values.
const (
	Absent = "absent" // the member is absent
	Any    = "any"    // any value
	Known  = "known"  // the ID of a known key
	KeyID  = "key-id" // the ID of the key in use
)

// HeaderParam is a header member: the value to send (empty: none) and those to accept.
type HeaderParam struct {
	// Seal is the value to send: empty for none, KeyID for the ID of the key in use.
	Seal string `yaml:"seal"`
	// Open lists the accepted values, and Absent, Any or Known.
	Open []string `yaml:"open"`
}

// Body describes how an HTTP body carries a token.
type Body struct {
	// ContentType is the media type to send. It is also accepted.
	ContentType string `yaml:"content_type"`
	// Accept lists further media types that are accepted; "any" stands for all.
	Accept []string `yaml:"accept"`
	// Field is the JSON member that holds the token. Empty means that the body is the token.
	Field string `yaml:"field"`
	// Accompanying lists the members that are allowed next to Field.
	Accompanying []string `yaml:"accompanying"`
	// Others is "refuse" or "ignore", for all further members.
	Others string `yaml:"others"`
}

// Keys describes new key pairs.
type Keys struct {
	// Bits is the size of the RSA modulus: 2048, 3072 or 4096.
	Bits int `yaml:"bits"`
	// Usage lists key usages (RFC 5280 section 4.2.1.3) for new certificates.
	Usage []string `yaml:"usage"`
	// OnePairPer is "account" or "environment".
	OnePairPer string `yaml:"one_pair_per"`
	// Slots is how many certificates a partner can hold at a time: 1 or 2. 0 is [DefaultSlots].
	Slots int `yaml:"slots"`
}

// DefaultSlots is how many certificates a partner can hold where a profile does not say.
const DefaultSlots = 2

//go:embed *.yaml
var embedded embed.FS

const maxFile = 64 << 10

// Names lists the embedded profiles.
func Names() []string {
	files, err := fs.Glob(embedded, "*.yaml")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for i := range files {
		files[i] = strings.TrimSuffix(files[i], ".yaml")
	}
	return files
}

// Source returns the file of an embedded profile, as a start for another one.
func Source(name string) ([]byte, error) {
	data, err := embedded.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf(
			"profile %q is not known; use %s, or the path of a file",
			name,
			strings.Join(Names(), ", "),
		)
	}
	return data, nil
}

// Load returns the embedded profile of that name. If nameOrFile contains a slash or ends in
// .yaml, it reads that file.
func Load(nameOrFile string) (*Profile, error) {
	if !strings.ContainsAny(nameOrFile, `/\`) && !strings.HasSuffix(nameOrFile, ".yaml") {
		return loadEmbedded(nameOrFile)
	}
	data, err := readlimit.File(nameOrFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameOrFile, err)
	}
	return p, nil
}

// parsed has the embedded profiles that were parsed, by their names. Nobody changes these.
var parsed sync.Map

func loadEmbedded(name string) (*Profile, error) {
	if p, done := parsed.Load(name); done {
		return p.(*Profile).Clone(), nil
	}
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	p, err := Parse(data)
	if err != nil {
		return nil, err
	}
	parsed.Store(name, p.Clone())
	return p, nil
}

// Parse reads a profile strictly: an unknown word, a missing one, or an unknown value is an
// error. The error has a line for each fault.
func Parse(data []byte) (*Profile, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("profile has more than %d bytes", maxFile)
	}
	var p Profile
	lines, err := strictyaml.DecodeAliases("", data, &p)
	if err := p.check(lines).Err("", err); err != nil {
		return nil, fmt.Errorf("the profile is refused:\n%w", err)
	}
	return &p, nil
}

// Validate returns an error for a profile that the code cannot handle. The error has a line
// for each fault, with the words of a file that lead to it.
func (p *Profile) Validate() error {
	if err := p.check(nil).Err("", nil); err != nil {
		return fmt.Errorf("profile %q is refused:\n%w", p.Name, err)
	}
	return nil
}
