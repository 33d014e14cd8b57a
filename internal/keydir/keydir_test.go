package keydir_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

const (
	rightKeyID = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	otherKeyID = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG"
)

func spec(t *testing.T) *keydir.Spec {
	t.Helper()
	p, err := profile.Load("rdx")
	if err != nil {
		t.Fatal(err)
	}
	return &keydir.Spec{
		Folder: filepath.Join(t.TempDir(), "pair"), Profile: p, Environment: "STAG", Bits: 2048,
		Request: cert.Template{
			CommonName: "rdx.bank.example", Organization: "Example Bank", Unit: "Payments",
			Email: "keys@bank.example", NotBefore: time.Now(),
		},
	}
}

func TestLoadOrCreate(t *testing.T) {
	s := spec(t)
	made, err := keydir.LoadOrCreate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !made.Certificate.PublicKey.Equal(made.Key.Public()) ||
		made.KeyID != cert.ThumbprintJWK(made.Certificate.PublicKey) {
		t.Errorf("%+v", made)
	}
	jwk, err := os.ReadFile(s.JWKFile())
	if err != nil {
		t.Fatal(err)
	}
	if file, err := keyfile.Parse(jwk); err != nil || file.KeyID != made.KeyID {
		t.Errorf("%+v %v", file, err)
	}
	again, err := keydir.LoadOrCreate(t.Context(), s)
	if err != nil || !again.Certificate.Certificates[0].Equal(made.Certificate.Certificates[0]) {
		t.Errorf("another pair: %v", err)
	}
	if _, err := keydir.Create(s); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created again: %v", err)
	}
}

// TestSentFolders: what is sent has the checksum in the second message only, and
// the private key in none.
func TestSentFolders(t *testing.T) {
	s := spec(t)
	made, err := keydir.Create(s)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(s.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	checksum := []byte(cert.Fingerprints(nil, made).Rows[0].SHA256.Hex)
	for _, folder := range []string{keydir.SendFolder, keydir.SendSeparatelyFolder} {
		files, err := os.ReadDir(filepath.Join(s.Folder, folder))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v %v", folder, files, err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(s.Folder, folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte("PRIVATE")) || bytes.Equal(data, key) {
				t.Errorf("%s/%s has the private key", folder, f.Name())
			}
			if bytes.Contains(data, checksum) != (folder == keydir.SendSeparatelyFolder) {
				t.Errorf("%s/%s: checksum is %t", folder, f.Name(), bytes.Contains(data, checksum))
			}
		}
	}
}

// TestNothingIsMade: where a pair would be refused, nothing is written.
func TestNothingIsMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*keydir.Spec)
		says   string
	}{
		{"environment", func(s *keydir.Spec) { s.Environment = "UAT" }, "DEV, STAG, PROD"},
		{"size", func(s *keydir.Spec) { s.Bits = 1024 }, "1024"},
		{"organization", func(s *keydir.Spec) { s.Request.Organization = "" }, "organization"},
		{"unit", func(s *keydir.Spec) { s.Request.Unit = "" }, "unit"},
		{"email", func(s *keydir.Spec) { s.Request.Email = "" }, "email"},
		{"key ID", func(s *keydir.Spec) { s.KeyID = otherKeyID }, "4096"},
		{"form of the key ID", func(s *keydir.Spec) { s.KeyID = "bank-1" }, "six"},
	} {
		s := spec(t)
		c.change(s)
		if _, err := keydir.Create(s); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(s.Folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the folder is there: %v", c.name, err)
		}
	}
}

func TestMissingField(t *testing.T) {
	s := spec(t)
	s.Request.Unit = ""
	_, err := keydir.Create(s)
	if missing, ok := errors.AsType[*keydir.MissingError](err); !ok || missing.Field != "unit" ||
		missing.Profile != "rdx" {
		t.Errorf("%v", err)
	}
}

func TestCheckKeyID(t *testing.T) {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	sixPart := spec(t).Profile.Certificate
	for _, c := range []struct {
		demand     cert.Policy
		keyID, env string
		public     *rsa.PublicKey
		says       string
	}{
		{sixPart, rightKeyID, "STAG", &key.PublicKey, ""},
		{sixPart, rightKeyID, "", &key.PublicKey, ""},
		{sixPart, rightKeyID, "PROD", &key.PublicKey, "PROD"},
		{sixPart, otherKeyID, "STAG", &key.PublicKey, "4096"},
		{sixPart, "bank-1", "STAG", &key.PublicKey, "six"},
		{sixPart, rightKeyID, "STAG", nil, "no RSA key"},
		{cert.Policy{}, "bank-1", "PROD", &key.PublicKey, ""},
		{cert.Policy{}, "bank\n1", "PROD", &key.PublicKey, "printable"},
	} {
		err := keydir.CheckKeyID(c.demand, c.keyID, c.env, c.public)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s in %q: %v", c.keyID, c.env, err)
		}
	}
}
