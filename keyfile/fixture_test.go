package keyfile_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

var must, wantError = testcert.Must, testcert.WantError

// Made once: 600,000 iterations take seconds under the race detector.
var (
	ourSealed = sync.OnceValues(func() ([]byte, error) { return keyfile.EncodePrivate(testcert.Key(), passphrase) })
	storeCert = sync.OnceValues(
		func() (*x509.Certificate, error) { return cert.Create(testcert.Key(), testcert.Template()) },
	)
	ourStore = sync.OnceValues(func() ([]byte, error) {
		c, err := storeCert()
		if err != nil {
			return nil, err
		}
		return keyfile.EncodePKCS12(testcert.Key(), []*x509.Certificate{c}, passphrase)
	})
)

// storePKCS12 returns the result of EncodePKCS12, and the certificate in it.
func storePKCS12(t testing.TB) ([]byte, *x509.Certificate) {
	t.Helper()
	c, err := storeCert()
	must(t, err)
	p12, err := ourStore()
	must(t, err)
	return p12, c
}

// program runs a peer in a folder.
type program struct {
	t    testing.TB
	name string
	dir  string
}

func peer(t testing.TB, name string) program {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip("missing program: " + name)
	}
	return program{t, name, t.TempDir()}
}

func (p program) run(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.name, args...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", p.name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (p program) write(name string, data []byte) {
	p.t.Helper()
	must(p.t, os.WriteFile(filepath.Join(p.dir, name), data, 0o600))
}

func (p program) read(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	must(p.t, err)
	return data
}

// replaceInteger rewrites every INTEGER of one value in nested DER.
func replaceInteger(t testing.TB, der []byte, from, to *big.Int) []byte {
	t.Helper()
	old, err := asn1.Marshal(from)
	must(t, err)
	fresh, err := asn1.Marshal(to)
	must(t, err)
	var rewrite func(b []byte) []byte
	rewrite = func(b []byte) (out []byte) {
		for len(b) > 0 {
			var e asn1.RawValue
			rest, err := asn1.Unmarshal(b, &e)
			must(t, err)
			switch {
			case bytes.Equal(e.FullBytes, old):
				out = append(out, fresh...)
			case e.IsCompound:
				e := asn1.RawValue{Class: e.Class, Tag: e.Tag, IsCompound: true, Bytes: rewrite(e.Bytes)}
				inner, err := asn1.Marshal(e)
				must(t, err)
				out = append(out, inner...)
			default:
				out = append(out, e.FullBytes...)
			}
			b = rest
		}
		return out
	}
	return rewrite(der)
}
