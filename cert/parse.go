package cert

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

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
		p7, err := pkcs7.Parse(der)
		if err != nil {
			return nil, true, fmt.Errorf("the PKCS#7 does not parse: %w", explainX509(err))
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
