// Package lanedir reads lanes from folders, and reads them again when their files change.
//
// # Format
//
// A lane folder has the file lane.yaml, and next to it the files that it names:
//
//	profile: riskos            # a name, or a file of the folder
//	side: client               # client or server: what we are
//	partner: provider
//	environment: PROD
//	ours:                      # private keys
//	- customer.key
//	theirs:                    # the partner's certificates
//	- {file: provider-new.cer, state: active}
//	- {file: provider.cer, state: retiring}
//
// The other words are sealing, caller, accept_rsa_oaep, accept_certificate, expired, no_resend, max_payload and
// plain;
// [Spec]
// describes them. Unknown and doubled words are refused, all faults at once.
//
// A key is a file, or a mapping with file, certificate, key_id and state. Its file is a path, relative to the
// folder, or for our own keys a key URI of package kms. Several keys may have one key ID. The first key
// without a state is active; others without one are retiring. The certificate of one of our keys is named so
// that its end is known. A folder holds private keys: nobody but the program's user should be able to read it.
//
// # Use
//
// [Open] returns a [Folder]. Its [Folder.Lane] is the lane of the moment: hand it to a
// sealhttp.Handler or Transport as its LaneFunc asks for it, and call [Folder.Watch] to follow changes.
// [Write] makes a folder.
package lanedir

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictyaml"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// FileName is the name of the file that describes the lane.
const FileName = "lane.yaml"

// maxFile limits lane.yaml and a profile, in bytes.
const maxFile = 64 << 10

// Spec describes a lane whose keys are in files.
type Spec struct {
	// Profile is the name of a profile of this module, or a file.
	Profile string `yaml:"profile"`
	// Side is client or server.
	Side sealane.Side `yaml:"side"`
	// Partner names the partner. The default is the profile's name for the other side.
	Partner string `yaml:"partner"`
	// Environment is one of the profile's. The default is the first.
	Environment string `yaml:"environment"`
	// Ours are our private keys.
	Ours Keys `yaml:"ours"`
	// Theirs are the partner's certificates or public keys.
	Theirs Keys `yaml:"theirs"`
	// Sealing is required or optional. The default is required.
	Sealing sealane.Sealing `yaml:"sealing" enum:"required,optional"`
	// Caller says how the sender of an unsigned message is authenticated; see
	// sealane.SenderAuth.
	Caller sealane.SenderAuth `yaml:"caller" enum:"mutual-tls,oauth2,tls,unauthenticated"`
	// AcceptRSAOAEP is the reason why the lane opens RSA-OAEP (SHA-1) too.
	AcceptRSAOAEP string `yaml:"accept_rsa_oaep"`
	// Expired says what becomes of messages after a certificate has ended: warn, refuse, or nothing
	// for 14 days of warnings before nothing is sealed any more.
	Expired sealane.Expired `yaml:"expired" enum:"warn,refuse"`
	// NoResend is the reason why a client sends no message again with other keys, after the partner
	// could not decrypt or verify it.
	NoResend string `yaml:"no_resend"`
	// AcceptCertificate is the reason to use keys that CheckKeys reports: a certificate for
	// other uses or of a CA, or a key ID of another environment.
	AcceptCertificate string `yaml:"accept_certificate"`
	// MaxPayload limits a payload, in bytes. The default is that of a lane.
	MaxPayload int `yaml:"max_payload"`
	// Plain lists requests that may be unencrypted although sealing is required, as "METHOD
	// /path/{variable}".
	Plain []string `yaml:"plain"`

	dir string // relative paths start here
}

// Keys are keys in the order in which they are tried.
type Keys []Key

// Key is one key in a file.
type Key struct {
	// File is the path of a file or, for one of our keys, a key URI of package kms.
	File string `yaml:"file"`
	// Certificate is the file of the certificate of one of our keys, so that its end is watched. It changes nothing
	// else. The default is the one in the key's file, if that is a PKCS#12.
	Certificate string `yaml:"certificate"`
	// KeyID is the key ID (header parameter kid). The default is the one in the file, if
	// any.
	KeyID string `yaml:"key_id"`
	// State is active, staged or retiring. The default is active for the first key without a state,
	// and retiring for others.
	State string `yaml:"state" enum:"active,staged,retiring"`
}

// Short returns the key that a single value stands for.
func (*Key) Short() string { return "file" }

// Read reads the lane.yaml of a folder.
func Read(folder string) (*Spec, error) {
	name := filepath.Join(folder, FileName)
	data, err := readlimit.File(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("lane folder: %w", err)
	}
	s := &Spec{dir: folder}
	if _, err := strictyaml.Decode(name, data, s); err != nil {
		return nil, err
	}
	return s, s.check(name)
}

// In returns the description with relative paths that start at a folder.
func (s Spec) In(folder string) *Spec {
	s.dir = folder
	return &s
}

func (s *Spec) check(name string) error {
	var faults []error
	if s.Profile == "" {
		faults = append(faults, fmt.Errorf("%s: profile is missing", name))
	}
	if s.Side == "" {
		faults = append(faults, fmt.Errorf("%s: side is missing: use client or server", name))
	}
	for _, keys := range []Keys{s.Ours, s.Theirs} {
		for _, k := range keys {
			if k.File == "" {
				faults = append(faults, fmt.Errorf("%s: a key has no file", name))
			}
		}
	}
	return errors.Join(faults...)
}

// path returns a path of the description as seen from the program.
func (s *Spec) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// keyURI returns the location of one of our keys: a path as seen from the program, or the
// unchanged URI.
func (s *Spec) keyURI(file string) (uri string, isFile bool) {
	scheme, rest, found := strings.Cut(file, ":")
	switch {
	case found && strings.EqualFold(scheme, "file"):
		return s.path(rest), true
	case found && len(scheme) > 1 && !strings.ContainsAny(scheme, `./\`):
		return file, false
	}
	return s.path(file), true
}

// profilePath returns the profile's name, or the path of its file.
func (s *Spec) profilePath() (nameOrFile string, isFile bool) {
	if strings.ContainsAny(s.Profile, `/\`) || strings.HasSuffix(s.Profile, ".yaml") {
		path := s.path(s.Profile)
		if !strings.ContainsAny(path, `/\`) {
			path = "." + string(filepath.Separator) + path
		}
		return path, true
	}
	return s.Profile, false
}

// states returns the states of the keys, with the defaults filled in.
func (k Keys) states() ([]keyring.State, error) {
	states := make([]keyring.State, len(k))
	free := true // no active key yet
	for i, one := range k {
		for _, s := range []keyring.State{keyring.Active, keyring.Staged, keyring.Retiring} {
			if one.State == s.String() {
				states[i] = s
			}
		}
		if one.State != "" && states[i] == 0 {
			return nil, fmt.Errorf(
				"key %s: state %.20q is not active, staged or retiring", kms.Name(one.File), one.State,
			)
		}
		free = free && states[i] != keyring.Active
	}
	for i := range states {
		switch {
		case states[i] != 0:
		case free:
			states[i], free = keyring.Active, false
		default:
			states[i] = keyring.Retiring
		}
	}
	return states, nil
}
