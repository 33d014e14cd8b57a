// Package hostile reads the corpus in testdata/hostile: messages with one fault each. Only
// tests may import it.
//
// A file has a few lines of "Name: value", an empty line, and then the bytes to send, up to
// the end of the file. docs/hostile.md explains the names and the folders.
package hostile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// Case is one file.
type Case struct {
	Path string // below the corpus's folder; its first element is the kind

	Fault   fault.Code      // what is wrong; inspect reports this code if it has all keys
	Opener  fault.Code      // the code that a lane reports, which may see less; default Fault
	Outcome profile.Outcome // what the partner learns
	Source  string          // the rule that is broken, or the incident where it mattered
	Note    string          // a remark

	Profile       string // embedded, or derived by a file in profiles/
	AcceptRSAOAEP bool   // the lane opens RSA-OAEP (SHA-1) too
	MaxPayload    int    // the lane's; 0: its default
	Content       []byte
}

// Kind is the folder: token, header, encryption, signature, body or http.
func (c Case) Kind() string { return strings.Split(c.Path, "/")[0] }

// Kinds are the folders that hold messages.
var Kinds = []string{"token", "header", "encryption", "signature", "body", "http"}

// Corpus is all of testdata/hostile.
type Corpus struct {
	Dir   string
	Cases []Case // sorted by path
}

// Read reads the corpus in dir. A malformed file is an error.
func Read(dir string) (*Corpus, error) {
	c := &Corpus{Dir: dir}
	err := each(dir, Kinds, func(path string, data []byte) error {
		one, err := Parse(data)
		one.Path = path
		c.Cases = append(c.Cases, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(c.Cases, func(a, b Case) int { return strings.Compare(a.Path, b.Path) })
	return c, nil
}

// Parse reads one file. Path is not in it.
func Parse(data []byte) (Case, error) {
	var c Case
	content, err := parseHead(data, c.set)
	if err != nil {
		return c, err
	}
	c.Content = content
	if c.Opener == "" {
		c.Opener = c.Fault
	}
	for _, code := range []fault.Code{c.Fault, c.Opener} {
		if !code.Known() {
			return c, fmt.Errorf("fault code %q is not in the catalog", code)
		}
	}
	if c.Outcome == "" || c.Source == "" || c.Profile == "" {
		return c, errors.New("the names Outcome, Source and Profile must be there")
	}
	return c, nil
}

func (c *Case) set(name, value string) (err error) {
	switch name {
	case "Fault":
		c.Fault = fault.Code(value)
	case "Opener":
		c.Opener = fault.Code(value)
	case "Outcome":
		c.Outcome = profile.Outcome(value)
	case "Source":
		c.Source = value
	case "Note":
		c.Note = value
	case "Profile":
		c.Profile = value
	case "Accept-RSA-OAEP":
		c.AcceptRSAOAEP, err = strconv.ParseBool(value)
	case "Max-Payload":
		c.MaxPayload, err = strconv.Atoi(value)
	default:
		err = errors.New("no such name")
	}
	return err
}

// Bytes returns the file as Parse reads it.
func (c Case) Bytes() []byte {
	var b bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	line("Fault", string(c.Fault))
	if c.Opener != c.Fault {
		line("Opener", string(c.Opener))
	}
	line("Outcome", string(c.Outcome))
	line("Profile", c.Profile)
	if c.AcceptRSAOAEP {
		line("Accept-RSA-OAEP", "true")
	}
	if c.MaxPayload != 0 {
		line("Max-Payload", strconv.Itoa(c.MaxPayload))
	}
	line("Source", c.Source)
	line("Note", c.Note)
	b.WriteByte('\n')
	b.Write(c.Content)
	return b.Bytes()
}

// The key IDs of the corpus.
const (
	OurKeyID   = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG" // of the recipient
	TheirKeyID = "signer-1"
	OtherKeyID = "stranger-1"
)

// KeyFile returns the file of a private key: "recipient" (ours), "signer" (the partner's),
// or "other" (a stranger's). All are public: use them for nothing else.
func (c *Corpus) KeyFile(name string) string { return filepath.Join(c.Dir, "keys", name+".key") }

// Key reads the key of that name.
func (c *Corpus) Key(name string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(c.KeyFile(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", path.Base(c.KeyFile(name)))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return key.(*rsa.PrivateKey), nil
}
