package keyfile_test

import (
	"bytes"
	"testing"

	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func TestEncodeAll(t *testing.T) {
	c := testcert.Cert(t)
	forms, err := keyfile.EncodeAll(c)
	must(t, err)
	want := map[string]keyfile.Format{
		".pem": keyfile.FormatPEM, ".crt": keyfile.FormatPEM,
		".cer": keyfile.FormatDER, ".p7b": keyfile.FormatPKCS7PEM,
	}
	if len(forms) != len(want) {
		t.Errorf("%d forms", len(forms))
	}
	for ext, format := range want {
		f, err := keyfile.Parse(forms[ext])
		must(t, err)
		if f.Format != format || !bytes.Equal(f.Certificates[0].Raw, c.Raw) {
			t.Errorf("%s: %s, or another certificate", ext, f.Format)
		}
	}
}
