package lanedir

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Lane is the argument of [Write].
type Lane struct {
	// Config is the lane's configuration. Private keys must be *rsa.PrivateKey.
	Config sealane.Config
	// AcceptCertificate is the reason to use keys that CheckKeys reports.
	AcceptCertificate string
	// Passphrase encrypts the private keys. Empty: they are not encrypted.
	Passphrase []byte
}

// Write makes a lane folder. The folder must be empty, or not exist; nothing is overwritten. Its mode
// is 0700, and that of its files 0600.
func Write(folder string, l Lane) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: choose an empty folder for the lane", folder)
	}
	if err != nil {
		return err
	}
	w := &writer{folder: folder, passphrase: l.Passphrase}
	return w.write(l)
}

type writer struct {
	folder     string
	passphrase []byte
}

func (w *writer) write(l Lane) error {
	c := l.Config
	if c.Profile == nil {
		return errors.New("lane folder: Profile is missing")
	}
	compiled, err := c.Profile.Compile()
	if err != nil {
		return err
	}
	s := spec{
		Side: c.Side, Partner: c.Partner, Environment: c.Environment, Sealing: c.Sealing, Caller: c.SenderAuth,
		AcceptRSAOAEP: c.AcceptRSAOAEP, AcceptCertificate: l.AcceptCertificate, MaxPayload: c.MaxPayload,
		Plain: c.PlainEndpoints, NoResend: c.NoResend, Expired: c.Expired,
	}
	if s.Profile, err = w.profile(compiled); err != nil {
		return err
	}
	if s.Ours, err = w.keys("ours", c.Ours, w.ourFile); err != nil {
		return err
	}
	if s.Theirs, err = w.keys("theirs", c.Theirs, theirFile); err != nil {
		return err
	}
	text, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	return newfile.Write(filepath.Join(w.folder, FileName), text, 0o600)
}

// spec is a [Spec] without the keys that have no value.
type spec struct {
	Profile           string             `yaml:"profile"`
	Side              sealane.Side       `yaml:"side"`
	Partner           string             `yaml:"partner,omitempty"`
	Environment       string             `yaml:"environment,omitempty"`
	Sealing           sealane.Sealing    `yaml:"sealing,omitempty"`
	Caller            sealane.SenderAuth `yaml:"caller,omitempty"`
	AcceptRSAOAEP     string             `yaml:"accept_rsa_oaep,omitempty"`
	AcceptCertificate string             `yaml:"accept_certificate,omitempty"`
	Expired           sealane.Expired    `yaml:"expired,omitempty"`
	NoResend          string             `yaml:"no_resend,omitempty"`
	MaxPayload        int                `yaml:"max_payload,omitempty"`
	Plain             []string           `yaml:"plain,omitempty"`
	Ours              []specKey          `yaml:"ours,omitempty"`
	Theirs            []specKey          `yaml:"theirs,omitempty"`
}

type specKey struct {
	File        string `yaml:"file"`
	Certificate string `yaml:"certificate,omitempty"`
	KeyID       string `yaml:"key_id,omitempty"`
	State       string `yaml:"state"`
}

// profile returns the name of a profile of this module, or writes a file for another one.
func (w *writer) profile(c *profile.Compiled) (string, error) {
	text, err := yaml.Marshal(c.Profile())
	if err != nil {
		return "", err
	}
	if slices.Contains(profile.Names(), c.Name()) {
		p, err := profile.Load(c.Name())
		if err != nil {
			return "", err
		}
		if same, err := yaml.Marshal(p); err == nil && bytes.Equal(same, text) {
			return c.Name(), nil
		}
	}
	const name = "profile.yaml"
	return name, newfile.Write(filepath.Join(w.folder, name), text, 0o600)
}

func (w *writer) keys(
	what string, ring *keyring.Ring, file func(keyring.Key) (data []byte, extension string, err error),
) ([]specKey, error) {
	var list []specKey
	for i, k := range ring.Keys() {
		data, extension, err := file(k)
		if err != nil {
			return nil, fmt.Errorf("lane folder: %s, key ID %q: %w", what, k.ID, err)
		}
		name := fmt.Sprintf("%s-%d%s", what, i+1, extension)
		if err := newfile.Write(filepath.Join(w.folder, name), data, 0o600); err != nil {
			return nil, err
		}
		clear(data)
		one := specKey{File: name, KeyID: k.ID, State: k.State.String()}
		if k.Private != nil && k.Certificate != nil {
			one.Certificate = fmt.Sprintf("%s-%d%s", what, i+1, certificateExtension)
			text := cert.EncodePEM(k.Certificate)
			if err := newfile.Write(filepath.Join(w.folder, one.Certificate), text, 0o600); err != nil {
				return nil, err
			}
		}
		list = append(list, one)
	}
	return list, nil
}

func (w *writer) ourFile(k keyring.Key) ([]byte, string, error) {
	private, ok := k.Private.(*rsa.PrivateKey)
	if !ok {
		return nil, "", fmt.Errorf("its private key is a %T: only a key in memory can be written", k.Private)
	}
	data, err := keyfile.EncodePrivate(private, w.passphrase)
	return data, ".key", err
}

const certificateExtension = ".cer"

func theirFile(k keyring.Key) ([]byte, string, error) {
	if k.Certificate != nil {
		return cert.EncodePEM(k.Certificate), certificateExtension, nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), ".pub", err
}
