package keyfile

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smallstep/pkcs7"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/termtext"
)

// parseCertificates takes DER that checkASN1 has accepted.
func parseCertificates(k kind, der []byte) (certificates []*x509.Certificate, isPKCS7 bool, err error) {
	switch k {
	case kindCertificate:
		c, err := parseCertificate(der)
		if err != nil {
			return nil, false, err
		}
		return []*x509.Certificate{c}, false, nil
	case kindSignedData:
		certificates, err := parsePKCS7(der)
		return certificates, true, err
	case kindPkiPath:
		certificates, err := parsePkiPath(der)
		return certificates, false, err
	case kindRevocations:
		return nil, false, errors.New("this is a list of revoked certificates (CRL), not a certificate: " +
			adviceSendCertificate)
	}
	return nil, false, errors.New("this is neither a certificate nor PKCS#7: " + adviceSendCertificate)
}

func parsePKCS7(der []byte) ([]*x509.Certificate, error) {
	if what := otherContent(der); what != "" {
		return nil, fmt.Errorf("the PKCS#7 (CMS) holds %s, not signed-data, in which certificates come: %s",
			what, adviceSendCertificate)
	}
	p7, err := pkcs7.Parse(der)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "x509: "):
		return nil, fmt.Errorf("the PKCS#7 does not parse: %w", explainX509(err))
	case err != nil:
		return nil, fmt.Errorf("the PKCS#7 does not parse (%w): export it again", err)
	case len(p7.Certificates) == 0:
		return nil, errors.New("the PKCS#7 holds no certificate: export it again, with the certificate")
	}
	for _, c := range p7.Certificates {
		if err := strictCertificate(c.Raw); err != nil {
			return nil, explainX509(err)
		}
	}
	return p7.Certificates, nil
}

// parsePkiPath reads a sequence of certificates, the leaf last (ITU-T X.509), which Java writes.
func parsePkiPath(der []byte) (certificates []*x509.Certificate, err error) {
	parts, err := sequenceOf(der)
	if err != nil {
		return nil, fmt.Errorf("the list of certificates (PkiPath) is damaged: %w", err)
	}
	rest := der[len(der)-lengthOf(parts):]
	for _, p := range parts {
		n := p.header + p.length
		c, err := parseCertificate(rest[:n])
		if err != nil {
			return nil, fmt.Errorf("in the list of certificates (PkiPath): %w", err)
		}
		certificates, rest = append(certificates, c), rest[n:]
	}
	return certificates, nil
}

func lengthOf(parts []element) (n int) {
	for _, p := range parts {
		n += p.header + p.length
	}
	return n
}

// severalDER returns the certificates of a file that has nothing but several of them in DER, one
// after the other. It returns nil for other files.
func severalDER(der []byte) (list [][]byte) {
	for rest := der; len(rest) > 0; {
		e, err := firstElement(rest)
		if err != nil || e.indefinite || e.header+e.length > len(rest) || len(list) > maxCertificates ||
			recognize(rest) != kindCertificate {
			return nil
		}
		list, rest = append(list, rest[:e.header+e.length]), rest[e.header+e.length:]
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

func parseAll(list [][]byte) (certificates []*x509.Certificate, err error) {
	for _, der := range list {
		if err := checkASN1(der); err != nil {
			return nil, fmt.Errorf("the file is damaged: %w", err)
		}
		c, err := parseCertificate(der)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, c)
	}
	return certificates, nil
}

// contentTypes are the other content types of RFC 5652, section 14, and its relatives.
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

// otherContent returns what a ContentInfo (RFC 5652, section 3) holds, in words, or ""
// if it is signed-data.
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
			return nil, errors.New("this is a certificate request, not a certificate: " +
				"sign it, or make a self-signed certificate, and send that")
		}
		return nil, explainX509(err)
	}
	if err := strictCertificate(der); err != nil {
		return nil, explainX509(err)
	}
	return c, nil
}

// explainX509 adds what to do if crypto/x509 refuses a certificate.
func explainX509(err error) error {
	if strings.Contains(err.Error(), "negative serial number") {
		return errors.New("the serial number of the certificate is negative, which RFC 5280, section 4.1.2.2, " +
			"forbids: " +
			"issue it again with a positive one")
	}
	return fmt.Errorf("the certificate does not parse (%w): issue it again with current software", err)
}

// orderChain puts the only leaf first and its issuers after it, up to one that is its own
// issuer. The order in which they were found decides nothing. unused are the CA certificates that
// are left over: of another chain, or another certificate of the same issuer, as CAs that sign
// each other have.
func orderChain(found []*x509.Certificate) (chain, unused []*x509.Certificate, err error) {
	var leaves, issuers []*x509.Certificate
	for i, c := range found {
		switch {
		case slices.ContainsFunc(found[:i], c.Equal): // it is there twice
		case c.IsCA:
			issuers = append(issuers, c)
		default:
			leaves = append(leaves, c)
		}
	}
	subject := func(c *x509.Certificate) string { return termtext.Short(cert.Name(c.RawSubject)) }
	switch n := len(leaves) + len(issuers); {
	case n > maxCertificates:
		return nil, nil, fmt.Errorf("the file has %d certificates: at most %d are read; "+
			"send the certificate and its chain only",
			n, maxCertificates)
	case len(leaves) == 0 && len(issuers) == 1:
		// The default of openssl req -x509 is CA:TRUE; cert.Check judges it.
		return issuers, nil, nil
	case len(leaves) == 0:
		return nil, nil, fmt.Errorf(
			"the file has %d certificates, all of CAs (basicConstraints CA:TRUE), %q among them: "+
				"send the key's own; with openssl req -x509 add -addext basicConstraints=critical,CA:FALSE",
			len(issuers),
			subject(issuers[0]),
		)
	case len(leaves) > 1:
		return nil, nil, fmt.Errorf("the file has %d certificates of end entities, %q and %q: "+
			"send exactly the one to be used",
			len(leaves), subject(leaves[0]), subject(leaves[1]))
	}
	slices.SortFunc(issuers, func(a, b *x509.Certificate) int {
		if a, b := selfIssued(a), selfIssued(b); a != b { // a root ends the chain
			if a {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.Raw, b.Raw)
	})
	chain = leaves
	for last := chain[0]; !selfIssued(last); last = chain[len(chain)-1] {
		i := slices.IndexFunc(issuers, func(ca *x509.Certificate) bool { return issued(ca, last) })
		if i < 0 {
			break
		}
		chain = append(chain, issuers[i])
		issuers = slices.Delete(issuers, i, i+1)
	}
	return chain, issuers, nil
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// issued reports whether a CA has the name that a certificate has for its issuer, and the key
// identifier, if both have one.
func issued(ca, c *x509.Certificate) bool {
	return bytes.Equal(ca.RawSubject, c.RawIssuer) &&
		(len(ca.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0 || bytes.Equal(ca.SubjectKeyId, c.AuthorityKeyId))
}
