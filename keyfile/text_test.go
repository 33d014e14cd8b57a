package keyfile_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func TestParseWideTextWithoutMark(t *testing.T) {
	c := testcert.Cert(t)
	plain, err := keyfile.EncodePrivate(testcert.Key(), nil)
	must(t, err)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f, err := keyfile.Parse(utf16With(order, crlf(cert.EncodePEM(c)))[2:])
		must(t, err)
		if f.Format != keyfile.FormatPEM || !f.Certificates[0].Equal(c) {
			t.Errorf("%v: %q, or another certificate", order, f.Format)
		}
		mail := append([]byte("Grüße aus Köln – der Schlüssel:\n"), cert.EncodePEM(c)...)
		f, err = keyfile.Parse(utf16With(order, mail)[2:])
		must(t, err)
		if !f.Certificates[0].Equal(c) {
			t.Errorf("%v: another certificate", order)
		}
		var leak *keyfile.PrivateKeyError
		if _, err := keyfile.Parse(utf16With(order, plain)[2:]); !errors.As(err, &leak) {
			t.Errorf("%v: %v", order, err)
		}
		key, _, err := keyfile.ParsePrivate(utf16With(order, plain)[2:], nil)
		must(t, err)
		if !key.Equal(testcert.Key()) {
			t.Errorf("%v: another key", order)
		}
	}
}
