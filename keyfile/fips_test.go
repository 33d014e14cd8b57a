package keyfile_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// TestInFIPSMode runs the tests below again in a process in which everything that FIPS
// 140-3 does not approve fails or panics.
func TestInFIPSMode(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestUnderEnforcement$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "SEALANE_FIPS_DIR="+t.TempDir())
	// Made here, because there they cannot be.
	dir := cmd.Env[len(cmd.Env)-1][len("SEALANE_FIPS_DIR="):]
	p12, _ := storePKCS12(t)
	must(t, os.WriteFile(dir+"/k.p12", p12, 0o600))
	weak := encryptPKCS8(t, testcert.Key(), passphrase, weakKDF)
	must(t, os.WriteFile(dir+"/weak.pem", weak, 0o600))
	must(t, os.WriteFile(dir+"/short.pem", cheapPKCS8(t, testcert.Key(), []byte("short")), 0o600))
	must(t, os.WriteFile(dir+"/scrypt.pem", scryptWithN(t, testcert.Key(), 1024), 0o600))
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestUnderEnforcement")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnderEnforcement does its work in the process that TestInFIPSMode starts. In an
// ordinary run it only checks that enforcement is off.
func TestUnderEnforcement(t *testing.T) {
	dir := os.Getenv("SEALANE_FIPS_DIR")
	if dir == "" {
		if fips140.Enforced() {
			t.Fatal("the whole suite runs under enforcement: run it without GODEBUG=fips140=only")
		}
		return
	}
	if !fips140.Enforced() {
		t.Fatal("enforcement is off")
	}
	c := testcert.Cert(t)
	forms, err := keyfile.EncodeAll(c)
	must(t, err)
	for _, data := range forms {
		f, err := keyfile.Parse(data)
		must(t, err)
		if !f.Certificates[0].Equal(c) {
			t.Error("another certificate")
		}
	}
	if v := cert.Check(c, testcert.Policy(), testcert.Now); v.Refused() || v.Warned() {
		t.Errorf("%v", testcert.NotOK(v))
	}
	sealed, err := keyfile.EncodePrivate(testcert.Key(), passphrase)
	must(t, err)
	key, _, err := keyfile.ParsePrivate(sealed, passphrase)
	must(t, err)
	if !key.Equal(testcert.Key()) {
		t.Error("another key")
	}
	table := cert.Fingerprints(c.Raw, c)
	if table.Rows[0].SHA1.Hex != "" || len(table.Rows[0].SHA256.Hex) != 64 {
		t.Errorf("%+v", table.Rows[0])
	}
	if _, ok := cert.Match(table.Rows[0].SHA256.Hex, nil, c); !ok {
		t.Error("the checksum does not match")
	}
	_, err = keyfile.EncodePKCS12(testcert.Key(), []*x509.Certificate{c}, passphrase)
	wantError(t, err, "fips140=only", "PKCS#8")
	short, err := os.ReadFile(dir + "/short.pem")
	must(t, err)
	if key, _, err := keyfile.ParsePrivate(short, []byte("short")); (key == nil) == (err == nil) {
		t.Errorf("%v, %v", key != nil, err) // either will do, a panic will not
	}
	for _, name := range []string{"k.p12", "weak.pem", "scrypt.pem"} {
		data, err := os.ReadFile(dir + "/" + name)
		must(t, err)
		_, _, err = keyfile.ParsePrivate(data, passphrase)
		wantError(t, err, "fips140=only", "openssl pkcs")
		if errors.Is(err, keyfile.ErrPassphraseWrong) {
			t.Errorf("%s: taken for a wrong passphrase", name)
		}
		var leak *keyfile.PrivateKeyError
		if _, err := keyfile.Parse(data); !errors.As(err, &leak) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, _ := pem.Decode(sealed); b == nil || b.Type != "ENCRYPTED PRIVATE KEY" {
		t.Error("not an encrypted key")
	}
}
