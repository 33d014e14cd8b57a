package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/sealanetest"
)

// TestGivenKeys: a private key that is given as text, where the name of its file or another word belongs, is not
// repeated by an error.
func TestGivenKeys(t *testing.T) {
	data, err := keyfile.EncodePrivate(sealanetest.IssuerKey().Private, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, certificate := sealanetest.IssuerKey().WriteFiles(t)
	several := string(data)
	inOneLine := strings.Join(strings.Fields(several), " ") // as a shell makes it
	for _, key := range []string{several, inOneLine} {
		for _, args := range [][]string{
			{"open", "--profile", "rdx", "--key", key, file},
			{"open", "--profile", "rdx", "--key", "file:" + key, file},
			{"seal", "--profile", "rdx", "--to", key, file},
			{"seal", "--profile", "rdx", "--to", certificate, key},
			{"inspect", "--profile", "rdx", "--key", key, "@" + file},
			{"inspect", "--profile", "rdx", "@" + key},
			{"cert", "show", key}, {"cert", "show", "--", key}, {"cert", "check", key},
			{"key", "convert", key}, {"key", "convert", "--", key},
			{"key", "import", "--", "vcas", "STAG", key},
			{"profile", "check", "--", key}, {"serve", "-c", key}, {"serve", "-c", "dir/" + key}, {key},
			{"sandbox", "issuer", "--key", key},
		} {
			for _, more := range [][]string{nil, {"--json"}} {
				var out, said bytes.Buffer
				words := append(append([]string{}, more...), args...)
				code := run(t.Context(), words, strings.NewReader(""), &out, &said)
				shown := out.String() + said.String()
				if code == 0 {
					t.Errorf("%.20q: it is done: %s", args, shown)
				}
				if strings.Contains(shown, "MII") || strings.Contains(shown, several[100:112]) {
					t.Errorf("%.20q: the key is shown: %s", args, shown)
				}
			}
		}
	}
}
