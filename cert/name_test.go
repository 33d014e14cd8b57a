package cert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

// name returns a distinguished name of sets of attributes in DER.
func name(t *testing.T, sets ...[]pkix.AttributeTypeAndValue) []byte {
	t.Helper()
	var sequence []asn1.RawValue
	for _, set := range sets {
		der, err := asn1.MarshalWithParams(set, "set")
		must(t, err)
		sequence = append(sequence, asn1.RawValue{FullBytes: der})
	}
	der, err := asn1.Marshal(sequence)
	must(t, err)
	return der
}

func TestName(t *testing.T) {
	cn, o, email := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10},
		asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	one := func(oid asn1.ObjectIdentifier, value any) []pkix.AttributeTypeAndValue {
		return []pkix.AttributeTypeAndValue{{Type: oid, Value: value}}
	}
	raw := func(tag int, octets string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(octets)} }
	for want, der := range map[string][]byte{
		"CN=keys.acme.example,O=Acme":    name(t, one(o, "Acme"), one(cn, "keys.acme.example")),
		"emailAddress=keys@acme.example": name(t, one(email, raw(asn1.TagIA5String, "keys@acme.example"))),
		"O=Zoë AG":                       name(t, one(o, raw(asn1.TagBMPString, "\x00Z\x00o\x00\xeb\x00 \x00A\x00G"))),
		"O=Soci\u00e9t\u00e9":            name(t, one(o, raw(asn1.TagT61String, "Soci\xe9t\xe9"))),
		`O=Acme\, Inc. \+ Co`:            name(t, one(o, "Acme, Inc. + Co")),
		"CN=a+O=b":                       name(t, append(one(cn, "a"), one(o, "b")...)),
		"1.2.3.4=x":                      name(t, one(asn1.ObjectIdentifier{1, 2, 3, 4}, "x")),
		"":                               name(t),
		"CN=#020105":                     name(t, one(cn, 5)),
		"#3003":                          {0x30, 0x03},
		"#":                              nil,
	} {
		if got := cert.Name(der); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// What the standard library writes is the same, where it writes words.
	c := testcert.Cert(t)
	if got := cert.Name(c.RawSubject); got != c.Subject.String() {
		t.Errorf("%q, want %q", got, c.Subject)
	}
	data, err := os.ReadFile("../testdata/reports/27-email-in-subject-as-hex/email-in-subject.cer")
	must(t, err)
	mail, err := x509.ParseCertificate(data)
	must(t, err)
	want := "emailAddress=keys@acme.example,CN=keys.acme.example,OU=Payments,O=Soci\u00e9t\u00e9 G,C=SE"
	if got := cert.Name(mail.RawSubject); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
