// Package profile holds what two partners' dialects agree on, as data: which
// legs are signed and encrypted, with what, how the token sits in the body,
// which endpoints are sealed, what an error says, and what is asked of keys and
// certificates. A new vendor is a new file, not new code.
package profile

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/readlimit"
)

// Profile is one dialect. docs/profiles describes each word of the file.
type Profile struct {
	Name         string      `yaml:"name"`
	Title        string      `yaml:"title"`
	Parties      Parties     `yaml:"parties"`
	Environments []string    `yaml:"environments"`
	Endpoints    []Endpoint  `yaml:"endpoints"`
	Trigger      *Trigger    `yaml:"trigger"` // nil: every message is sealed
	Request      Direction   `yaml:"request"`
	Response     Direction   `yaml:"response"`
	Errors       Errors      `yaml:"errors"`
	Keys         Keys        `yaml:"keys"`
	Certificate  cert.Policy `yaml:"certificate"`
}

// Parties says what the dialect calls its two sides.
type Parties struct {
	Client string `yaml:"client"` // sends requests
	Server string `yaml:"server"` // answers them
}

// Trigger is the request header that announces a sealed request.
type Trigger struct {
	Header string   `yaml:"header"`
	Value  string   `yaml:"value"` // compared without case
	Off    []string `yaml:"off"`   // values that mean the same as absence
}

// Direction is one direction. With neither Sign nor Encrypt it is plain.
type Direction struct {
	Sign           *Protection `yaml:"sign"`
	Encrypt        *Protection `yaml:"encrypt"`
	Body           Body        `yaml:"body"`
	UpstreamErrors string      `yaml:"upstream_errors"` // "plain" or "sealed": answers outside 2xx to sealed requests
}

// Sealed reports whether the messages are encrypted.
func (d Direction) Sealed() bool { return d.Encrypt != nil }

// Protection is one token: a JWS or a JWE.
type Protection struct {
	Alg Algorithms  `yaml:"alg"`
	Enc Algorithms  `yaml:"enc"` // a JWE's
	Kid HeaderParam `yaml:"kid"`
	Typ HeaderParam `yaml:"typ"`
	Cty HeaderParam `yaml:"cty"`
}

// Algorithms names the one to seal with and those to open.
type Algorithms struct {
	Seal       string   `yaml:"seal"`
	Open       []string `yaml:"open"`
	LaneMayAdd []string `yaml:"lane_may_add"` // to open, where a lane gives a reason
}

// Words that stand for header values.
const (
	Absent = "absent" // the member is not there
	Any    = "any"    // any value
	Known  = "known"  // a key ID of the keys at hand
	KeyID  = "key-id" // the ID of the key in use
)

// HeaderParam is a header member: the value to send (empty: none) and those to accept.
type HeaderParam struct {
	Seal string   `yaml:"seal"`
	Open []string `yaml:"open"`
}

// Body says how a token sits in an HTTP body.
type Body struct {
	ContentType  string   `yaml:"content_type"` // to send, and taken
	Accept       []string `yaml:"accept"`       // further content types that are taken; "any": all
	Field        string   `yaml:"field"`        // the JSON member that holds it; empty: the bare token
	Accompanying []string `yaml:"accompanying"` // members that may stand beside it
	Others       string   `yaml:"others"`       // "refuse" or "ignore" all further members
}

// Keys says what a fresh key pair is like.
type Keys struct {
	Bits       int      `yaml:"bits"`
	Usage      []string `yaml:"usage"`
	OnePairPer string   `yaml:"one_pair_per"` // "account" or "environment"
}

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

// Source gives the file of an embedded profile, to start one's own from.
func Source(name string) ([]byte, error) {
	data, err := embedded.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf(
			"profile %q is not known; there are %s, or name a file",
			name,
			strings.Join(Names(), ", "),
		)
	}
	return data, nil
}

// Load gives the embedded profile of that name or, where nameOrFile holds a
// slash or ends in .yaml, reads that file.
func Load(nameOrFile string) (*Profile, error) {
	if !strings.ContainsAny(nameOrFile, `/\`) && !strings.HasSuffix(nameOrFile, ".yaml") {
		data, err := Source(nameOrFile)
		if err != nil {
			return nil, err
		}
		return Parse(data)
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

// Parse reads a profile strictly: an unknown word, a missing one or a value
// that the code does not know is an error.
func Parse(data []byte) (*Profile, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("profile has more than %d bytes", maxFile)
	}
	var p Profile
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("profile: something follows the first document")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Validate reports what the code would not know how to handle.
func (p *Profile) Validate() error {
	if err := p.check(); err != nil {
		return fmt.Errorf("profile %q: %w", p.Name, err)
	}
	return nil
}
