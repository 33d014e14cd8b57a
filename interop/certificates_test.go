package interop

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

const passphrase = "five random words for tests"

// facts are what a program in another language finds in one of our files.
type facts struct {
	File                            string
	CommonName, Organization, Unit  string
	Country, Email, SHA256, Modulus string
	Usages                          []string
	Bits                            int
	NotBefore, NotAfter             int64
	Authority, SelfSigned, Loads    bool
}

// tool returns a program of the system, run in a folder, or skips the test by name.
func tool(t *testing.T, name, folder string) func(args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	return func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = folder
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
}

// created is one set of files that `sealane cert create` made for a profile, with the
// expected content; and the PKCS#12 and the JWK of the same key.
type created struct {
	folder, stem string
	want         facts
	usages       []string
}

func create(t *testing.T, sealane func(args ...string) *exec.Cmd, profile string, bits int) created {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "passphrase")
	write(t, secret, []byte(passphrase+"\n"))
	dir := filepath.Join(t.TempDir(), "made")
	if out, err := sealane("cert", "create", "--profile", profile, "--bits", fmt.Sprint(bits), "--common-name",
		"keys.bank.example",
		"--org", "Example Bänk", "--unit", "Key Team", "--country", "CH", "--email", "keys@bank.example", "--env",
		"DEV",
		"--passphrase-file", secret, "--out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := created{
		folder: filepath.Join(dir, "1-send"),
		stem:   "keys-bank-example-dev",
		usages: []string{"keyEncipherment"},
	}
	if profile == "riskos" {
		c.usages = []string{"digitalSignature", "keyEncipherment"}
	}
	sealed := load(t, filepath.Join(dir, "private", c.stem+".key"))
	write(t, filepath.Join(c.folder, c.stem+".key"), sealed)
	key, _, err := keyfile.ParsePrivate(sealed, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	leaf := c.leaf(t)
	p12, err := keyfile.EncodePKCS12(key, []*x509.Certificate{leaf}, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(c.folder, c.stem+".p12"), p12)
	jwk, err := keyfile.EncodeJWK(&key.PublicKey, keyfile.JWKParams{KeyID: "bank-key"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(c.folder, c.stem+".jwk"), jwk)
	sum := sha256.Sum256(leaf.Raw)
	c.want = facts{
		CommonName: "keys.bank.example", Organization: "Example Bänk", Unit: "Key Team", Country: "CH",
		Email:  "keys@bank.example",
		SHA256: hex.EncodeToString(sum[:]), Modulus: hex.EncodeToString(key.N.Bytes()), Usages: c.usages, Bits: bits,
		NotBefore: leaf.NotBefore.Unix(), NotAfter: leaf.NotAfter.Unix(), SelfSigned: true,
	}
	return c
}

func (c created) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	read, err := keyfile.Parse(load(t, filepath.Join(c.folder, c.stem+".cer")))
	if err != nil {
		t.Fatal(err)
	}
	return read.Certificates[0]
}

func load(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// byProgram has a program read the folder, and compares each file with the facts.
func (c created) byProgram(t *testing.T, in language, suffixes ...string) {
	t.Helper()
	out, err := foreign(limited(t), t, in, "certificate", "read", c.folder, passphrase).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, standardError(err))
	}
	var seen []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var got facts
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		suffix := filepath.Ext(got.File)
		seen = append(seen, suffix)
		want := c.want
		switch {
		case suffix == ".jwk" || suffix == ".key":
			want = facts{Modulus: want.Modulus}
		case suffix == ".p12" && in.folder == "node": // it loads it, but shows nothing
			want = facts{Loads: true}
		case suffix == ".p12":
			want.Loads = true
		}
		if in.folder == "node" {
			want.Usages = nil
		}
		want.File = got.File
		if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
			t.Errorf("%s reads\n%s\nwant\n%s", in.folder, a, b)
		}
	}
	slices.Sort(suffixes)
	if slices.Sort(seen); !slices.Equal(seen, suffixes) {
		t.Errorf("%s read %v, want %v", in.folder, seen, suffixes)
	}
}

func standardError(err error) []byte {
	if e, ok := err.(*exec.ExitError); ok {
		return e.Stderr
	}
	return nil
}

// show lists which of the texts a tool did not print.
func show(t *testing.T, printed string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(printed, text) {
			t.Errorf("%q is not in:\n%s", text, printed)
		}
	}
}

// TestCertificatesOfOurs: OpenSSL, keytool, Node and Python find the same content in the
// files of the command line, for both profiles and every size of key.
func TestCertificatesOfOurs(t *testing.T) {
	t.Parallel()
	ours := sealaneBinary(t)
	for _, profile := range []string{"riskos", "rdx"} {
		for _, bits := range []int{2048, 3072, 4096} {
			t.Run(fmt.Sprintf("%s-%d", profile, bits), func(t *testing.T) {
				create(t, ours, profile, bits).byEverybody(t)
			})
		}
	}
}

func (c created) byEverybody(t *testing.T) {
	leaf, signs := c.leaf(t), slices.Contains(c.usages, "digitalSignature")
	colons := strings.ToUpper(strings.Join(pairs(c.want.SHA256), ":"))
	t.Run("openssl", func(t *testing.T) {
		run := tool(t, "openssl", c.folder)
		for _, suffix := range []string{".pem", ".crt", ".cer"} {
			out := run("x509", "-in", c.stem+suffix, "-noout", "-fingerprint", "-sha256", "-subject", "-nameopt",
				"RFC2253,utf8,-esc_msb", "-dates", "-email", "-text")
			show(t, out, colons, "CN=keys.bank.example", "O=Example Bänk", "OU=Key Team", "C=CH",
				"\nkeys@bank.example\n", fmt.Sprintf("Public-Key: (%d bit)", c.want.Bits),
				"notAfter="+leaf.NotAfter.Format("Jan _2 15:04:05 2006 GMT"), "Key Encipherment", "CA:FALSE")
			if strings.Contains(out, "Digital Signature") != signs {
				t.Errorf("%s: another key usage:\n%s", suffix, out)
			}
		}
		show(t, run("pkcs7", "-in", c.stem+".p7b", "-print_certs"), strings.TrimSpace(string(cert.EncodePEM(leaf))))
		show(t, run("pkey", "-in", c.stem+".key", "-passin", "pass:"+passphrase, "-check", "-noout"), "Key is valid")
		show(t, run("pkcs12", "-in", c.stem+".p12", "-passin", "pass:"+passphrase, "-noenc"), "BEGIN PRIVATE KEY",
			strings.TrimSpace(string(cert.EncodePEM(leaf))))
	})
	t.Run("keytool", func(t *testing.T) {
		run := tool(t, "keytool", c.folder)
		// The tests of package cert cover the other formats.
		out := run("-J-Duser.language=en", "-printcert", "-file", c.stem+".p7b")
		show(t, out, colons, "CN=keys.bank.example", "OU=Key Team", "C=CH", "keys@bank.example",
			fmt.Sprintf("%d-bit RSA key", c.want.Bits), "Key_Encipherment")
		if strings.Contains(out, "DigitalSignature") != signs {
			t.Errorf("another key usage:\n%s", out)
		}
		show(t,
			run("-J-Duser.language=en", "-list", "-v", "-keystore", c.stem+".p12", "-storetype", "PKCS12",
				"-storepass", passphrase), "PrivateKeyEntry", colons)
	})
	t.Run("node", func(t *testing.T) { c.byProgram(t, node, ".pem", ".crt", ".cer", ".jwk", ".key", ".p12") })
	t.Run("python", func(t *testing.T) {
		c.byProgram(t, python, ".pem", ".crt", ".cer", ".p7b", ".jwk", ".key", ".p12")
	})
}

func pairs(text string) []string {
	var all []string
	for part := range slices.Chunk([]byte(text), 2) {
		all = append(all, string(part))
	}
	return all
}
