package cert

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

// Check applies every rule to the certificate and returns one finding for each, so
// that the person who made the certificate learns everything at once. It never
// returns an error: [Verdict.Refused] says whether the certificate may be used.
//
// Check trusts no issuer and checks no revocation. It verifies the signature of a
// self-signed certificate, which proves that its maker has the private key.
func Check(c *x509.Certificate, p Policy, now time.Time) Verdict {
	v := Verdict{endEntity(c)}
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		v = append(v, keySize(pub, p), exponent(pub), weakKey(pub))
	} else {
		v = append(v, keyType(c))
	}
	v = append(v, keyUsage(c, p.KeyUsage), extendedKeyUsage(c), criticalExtension(c))
	v = append(v, subject(c, p)...)
	return append(v,
		validityLength(c, p), validityNow(c, now),
		signatureAlgorithm(c), issuer(c, v.holds("weak-key", "key-size", "exponent")),
		serialNumber(c), names(c))
}

// endEntity refuses a certificate that may issue others. It only warns about a
// self-signed one without such a usage, which is what openssl req -x509 makes by
// default: nothing here trusts it to issue.
func endEntity(c *x509.Certificate) Finding {
	level := Refused
	if bytes.Equal(c.RawSubject, c.RawIssuer) && c.KeyUsage&usagesOfCA == 0 {
		level = Warning
	}
	found := "an end entity"
	if c.IsCA {
		found = "a CA certificate (basicConstraints CA:TRUE)"
	}
	return Finding{Code: "not-ca", Name: "End entity", Found: found, Wanted: "an end entity"}.
		orElse(!c.IsCA, level, "Issue it again with basicConstraints CA:FALSE; "+
			"with openssl req -x509 add -addext basicConstraints=critical,CA:FALSE.")
}

// criticalExtension applies RFC 5280, section 4.2: a reader must reject a certificate
// with a critical extension that it does not know.
func criticalExtension(c *x509.Certificate) Finding {
	const none = "none that is unknown"
	f := Finding{Code: "critical-extension", Name: "Critical extensions", Found: none, Wanted: none}
	var unknown []string
	for _, oid := range c.UnhandledCriticalExtensions {
		unknown = append(unknown, oid.String())
	}
	if len(unknown) > 0 {
		f.Found = "unknown: " + termtext.Short(strings.Join(unknown, ", "))
	}
	return f.orElse(len(unknown) == 0, Refused, "Issue it again without the extension, "+
		"or with it marked not critical.")
}

func signatureAlgorithm(c *x509.Certificate) Finding {
	f := Finding{
		Code: "signature-algorithm", Name: "Signature algorithm",
		Found: c.SignatureAlgorithm.String(), Wanted: "RSA or ECDSA with SHA-256 or stronger",
	}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return f.orElse(true, OK, "")
	}
	return f.orElse(false, Refused,
		"Issue it again, signed with SHA-256: openssl req -x509 -sha256, or keytool -sigalg SHA256withRSA.")
}

// issuer accepts self-signed and CA-signed certificates. It verifies the signature of
// a self-signed one, but not with a key that another rule refuses: a huge one would
// take long.
func issuer(c *x509.Certificate, keyIsFit bool) Finding {
	f := Finding{Code: "issuer", Name: "Issuer", Wanted: "itself or a CA"}
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		f.Found = "signed by a CA: " + termtext.Quote(Name(c.RawIssuer))
		return f.orElse(true, OK, "")
	}
	f.Found = "self-signed"
	if !keyIsFit {
		f.Found = "self-signed; the signature was not verified because of the key"
		return f.orElse(true, OK, "")
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	_, insecure := errors.AsType[x509.InsecureAlgorithmError](err)
	if insecure || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		f.Found = "self-signed; the signature was not verified because of its algorithm"
		return f.orElse(true, OK, "")
	}
	if err != nil {
		f.Found = "names itself as issuer, but its signature is not by its own key"
	}
	return f.orElse(err == nil, Refused, "The certificate was altered or damaged after signing: "+
		"export it again from where it was made, or make a new one.")
}

// serialNumber applies RFC 5280, section 4.1.2.2: positive, at most 20 octets.
func serialNumber(c *x509.Certificate) Finding {
	octets := c.SerialNumber.BitLen()/8 + 1
	f := Finding{
		Code: "serial", Name: "Serial number",
		Found: termtext.Short(c.SerialNumber.Text(16)), Wanted: "positive, at most 20 octets",
	}
	if octets > 20 {
		f.Found = fmt.Sprintf("%d octets", octets)
	}
	return f.orElse(c.SerialNumber.Sign() > 0 && octets <= 20, Refused,
		"Issue it again with a random serial number of 16 octets, which is what openssl req -x509 makes by default.")
}

// maxNames bounds the alternative names and the parts of the subject: certificates
// with tens of thousands of names have slowed other implementations down.
const maxNames = 100

var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// names counts the raw entries, because crypto/x509 omits the kinds that it does not
// know.
func names(c *x509.Certificate) Finding {
	count := 0
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSAN) {
			continue
		}
		var list asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &list); err != nil {
			continue
		}
		for rest := list.Bytes; len(rest) > 0 && count <= maxNames; count++ {
			var one asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &one); err != nil {
				break
			}
		}
	}
	count = max(count, len(c.Subject.Names))
	found := fmt.Sprintf("at most %d", count)
	if count > maxNames {
		found = fmt.Sprintf("more than %d", maxNames)
	}
	return Finding{Code: "names", Name: "Number of names", Found: found, Wanted: fmt.Sprintf("at most %d", maxNames)}.
		orElse(count <= maxNames, Refused, "Issue it again with the names of this one use only: "+
			"no host names are needed.")
}
