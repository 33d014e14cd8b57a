package keyfile

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/termtext"
	"github.com/smallstep/pkcs7"
)

// parseCertificates takes DER that checkASN1 has passed.
func parseCertificates(k kind, der []byte) (certificates []*x509.Certificate, isPKCS7 bool, err error) {
	switch k {
	case kindCertificate:
		c, err := parseCertificate(der)
		if err != nil {
			return nil, false, err
		}
		return []*x509.Certificate{c}, false, nil
	case kindSignedData:
		if what := otherContent(der); what != "" {
			return nil, true, fmt.Errorf("the PKCS#7 (CMS) holds %s, not the signed-data in which certificates come: %s", what, adviceSendCertificate)
		}
		p7, err := pkcs7.Parse(der)
		switch {
		case err != nil && strings.HasPrefix(err.Error(), "x509: "):
			return nil, true, fmt.Errorf("the PKCS#7 does not parse: %w", explainX509(err))
		case err != nil:
			return nil, true, fmt.Errorf("the PKCS#7 does not parse (%w): export it again", err)
		}
		if len(p7.Certificates) == 0 {
			return nil, true, errors.New("the PKCS#7 holds no certificate: export it again, with the certificate")
		}
		for _, c := range p7.Certificates {
			if err := strictCertificate(c.Raw); err != nil {
				return nil, true, explainX509(err)
			}
		}
		return p7.Certificates, true, nil
	}
	return nil, false, errors.New("this is neither a certificate nor PKCS#7: " + adviceSendCertificate)
}

// contentTypes are those of RFC 5652, section 14, and of its relatives, but for
// signed-data.
var contentTypes = map[string]string{
	"1.2.840.113549.1.7.1":       "plain data",
	"1.2.840.113549.1.7.3":       "encrypted data (enveloped-data, under a key or a passphrase)",
	"1.2.840.113549.1.7.4":       "encrypted data (signed-and-enveloped-data)",
	"1.2.840.113549.1.7.5":       "data with a checksum (digested-data)",
	"1.2.840.113549.1.7.6":       "encrypted data (encrypted-data)",
	"1.2.840.113549.1.9.16.1.2":  "data with a MAC (authenticated-data)",
	"1.2.840.113549.1.9.16.1.9":  "compressed data",
	"1.2.840.113549.1.9.16.1.23": "encrypted data (authenticated-enveloped-data)",
}

// otherContent says what is in a ContentInfo (RFC 5652, section 3), if it is no
// signed-data.
func otherContent(der []byte) string {
	top, err := firstElement(der)
	if err != nil {
		return ""
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(top.body, &oid); err != nil || oid.Equal(pkcs7.OIDSignedData) {
		return ""
	}
	if what := contentTypes[oid.String()]; what != "" {
		return what
	}
	return "content of the type " + termtext.Short(oid.String())
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		if _, csr := x509.ParseCertificateRequest(der); csr == nil {
			return nil, errors.New("this is a certificate request, not a certificate: sign it, or make a self-signed certificate, and send that")
		}
		return nil, explainX509(err)
	}
	if err := strictCertificate(der); err != nil {
		return nil, explainX509(err)
	}
	return c, nil
}

// explainX509 adds what to do where crypto/x509 refuses a certificate outright.
func explainX509(err error) error {
	if strings.Contains(err.Error(), "negative serial number") {
		return errors.New("the serial number of the certificate is negative, which RFC 5280, section 4.1.2.2, forbids: issue it again with a positive one")
	}
	return fmt.Errorf("the certificate does not parse (%w): issue it again with current software", err)
}

func parsePublic(k kind, der []byte) (*rsa.PublicKey, error) {
	if k == kindPublicPKCS1 {
		if what := parameters(der); what != "" {
			return nil, fmt.Errorf("these are %s, which are what a key is made with, and neither a key nor a certificate: send the certificate", what)
		}
		pub, err := x509.ParsePKCS1PublicKey(der)
		if err == nil {
			err = twoIntegers(der)
		}
		if err != nil {
			return nil, fmt.Errorf("the public key does not parse (%w): export it again", err)
		}
		return pub, nil
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err == nil {
		err = strictSPKI(der)
	} else if !isRSAKey(der) {
		return nil, fmt.Errorf("the public key does not parse (%w): only RSA is used, make an RSA pair", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the public key does not parse (%w): export it again", err)
	}
	pub, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the public key is %T: only RSA is used, make an RSA pair", parsed)
	}
	return pub, nil
}

// isRSAKey looks at the algorithm of a SubjectPublicKeyInfo.
func isRSAKey(der []byte) bool {
	parts, err := sequenceOf(der)
	var oid asn1.ObjectIdentifier
	if err != nil || len(parts) == 0 {
		return false
	}
	_, err = asn1.Unmarshal(parts[0].body, &oid)
	return err == nil && oid.Equal(oidRSA)
}

// parameters recognises two lists of INTEGERs that look like an RSA public key:
// DSA's p, q and g (RFC 3279, section 2.3.2), and the p and g of Diffie-Hellman
// (PKCS#3) where g is 2, which is no RSA exponent.
func parameters(der []byte) string {
	const leastOrder, mostOrder = 160, 512 // bits of q
	parts, err := sequenceOf(der)
	if err != nil || len(parts) < 2 || len(parts) > 3 {
		return ""
	}
	second := positive(parts[1])
	switch {
	case second == nil:
	case second.IsInt64() && second.Int64() == 2:
		return "Diffie-Hellman parameters"
	case len(parts) == 3 && parts[2].tag == tagInteger && second.BitLen() >= leastOrder && second.BitLen() <= mostOrder:
		return "DSA parameters"
	}
	return ""
}
