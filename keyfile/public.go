package keyfile

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/sealane/sealane/cert"
)

var oidRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RFC 8017, appendix C

func parsePublic(k kind, der []byte) (*rsa.PublicKey, error) {
	if k == kindPublicPKCS1 {
		if what := parameters(der); what != "" {
			return nil, fmt.Errorf("these are %s, from which a key is made; "+
				"they are neither a key nor a certificate: "+
				"send the certificate", what)
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
	pub, err := cert.ParsePublicKey(der)
	switch {
	case errors.Is(err, cert.ErrNotRSA):
		return nil, fmt.Errorf("%w: only RSA is used, make an RSA pair", err)
	case err != nil && !isRSAKey(der):
		return nil, fmt.Errorf("the public key does not parse (%w): only RSA is used, make an RSA pair", err)
	case err == nil:
		err = strictSPKI(der)
	}
	if err != nil {
		return nil, fmt.Errorf("the public key does not parse (%w): export it again", err)
	}
	return pub, nil
}

// isRSAKey reports whether a SubjectPublicKeyInfo has the algorithm rsaEncryption.
func isRSAKey(der []byte) bool {
	parts, err := sequenceOf(der)
	return err == nil && len(parts) > 0 && isRSA(parts[0])
}

// isRSA reports whether an AlgorithmIdentifier is rsaEncryption.
func isRSA(algorithm element) bool {
	var oid asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(algorithm.body, &oid)
	return err == nil && oid.Equal(oidRSA)
}

// parameters recognizes two lists of INTEGERs that look like an RSA public key: DSA's
// p, q and g (RFC 3279, section 2.3.2), and the p and g of Diffie-Hellman (PKCS#3) if
// g is 2, which is not an RSA exponent.
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
	case len(parts) == 3 && parts[2].tag == tagInteger &&
		second.BitLen() >= leastOrder && second.BitLen() <= mostOrder:
		return "DSA parameters"
	}
	return ""
}
