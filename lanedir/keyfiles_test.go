package lanedir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/lanedir"
	"github.com/sealane/sealane/sealanetest"
)

// TestFiles: the files of a lane's keys are known with their certificates, also where one of ours names its own, or
// has it in the key's file. A certificate of another key is refused.
func TestFiles(t *testing.T) {
	key, certificate := pem(t, sealanetest.CustomerKey())
	_, other := pem(t, sealanetest.IssuerKey())
	dir := customer(t, customerYAML, "ours.cer", certificate, "other.cer", other)
	private, _, err := keyfile.ParsePrivate([]byte(key), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := keyfile.Parse([]byte(certificate))
	if err != nil {
		t.Fatal(err)
	}
	store, err := keyfile.EncodePKCS12(private, file.Certificates, []byte("a long passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "store.p12"), string(store))
	open := func(ours string) (*lanedir.Folder, error) {
		write(t, filepath.Join(dir, "lane.yaml"), strings.Replace(customerYAML, "ours: ours.key", "ours: "+ours, 1))
		return lanedir.Open(t.Context(), dir, lanedir.Options{
			Passphrase: func() ([]byte, error) { return []byte("a long passphrase"), nil },
		})
	}
	for _, test := range []struct{ ours, file, certificateFile string }{
		{"ours.key", "ours.key", ""},
		{"{file: ours.key, certificate: ours.cer}", "ours.key", "ours.cer"},
		{"store.p12", "store.p12", ""},
	} {
		f, err := open(test.ours)
		if err != nil {
			t.Fatal(err)
		}
		files := f.Files()
		if len(files) != 2 || !files[0].Ours || files[1].Ours || files[0].State != keyring.Active ||
			files[0].File != filepath.Join(dir, test.file) || files[1].File != filepath.Join(dir, "theirs.cer") ||
			test.certificateFile != "" && files[0].CertificateFile != filepath.Join(dir, test.certificateFile) {
			t.Fatalf("%s: %+v", test.ours, files)
		}
		theirs := read(t, filepath.Join(dir, "theirs.cer"))
		if c := files[1].Certificate; c == nil || string(cert.EncodePEM(c)) != theirs {
			t.Errorf("%s: theirs %v", test.ours, c)
		}
		c := files[0].Certificate
		if known := c != nil && string(cert.EncodePEM(c)) == certificate; known == (test.ours == "ours.key") {
			t.Errorf("%s: ours %v", test.ours, c)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for ours, want := range map[string]string{
		"{file: ours.key, certificate: other.cer}": "other.cer has no certificate of the key",
		"{file: ours.key, certificate: none.cer}":  "none.cer",
		"{file: ours.key, certificate: ours.key}":  "the file holds a private key",
	} {
		if _, err := open(ours); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", ours, err, want)
		}
	}
	write(t, filepath.Join(dir, "lane.yaml"),
		strings.Replace(customerYAML, "theirs.cer", "{file: theirs.cer, certificate: theirs.cer}", 1))
	if _, err := lanedir.Open(t.Context(), dir, lanedir.Options{}); err == nil ||
		!strings.Contains(err.Error(), "certificate is for our own keys") {
		t.Error(err)
	}
}

// TestFilesChange: another certificate of one of our keys is read again.
func TestFilesChange(t *testing.T) {
	_, certificate := pem(t, sealanetest.CustomerKey())
	dir := customer(t, strings.Replace(customerYAML, "ours.key", "{file: ours.key, certificate: ours.cer}", 1),
		"ours.cer", certificate)
	f, err := lanedir.Open(t.Context(), dir, lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(filepath.Join(dir, "ours.cer")); err != nil {
		t.Fatal(err)
	}
	if changed, err := f.Reload(t.Context()); err == nil || changed || f.Files()[0].Certificate == nil {
		t.Errorf("%v %v", changed, err)
	}
	write(t, filepath.Join(dir, "ours.cer"), "\n"+certificate)
	if changed, err := f.Reload(t.Context()); err != nil || !changed {
		t.Errorf("%v %v", changed, err)
	}
}
