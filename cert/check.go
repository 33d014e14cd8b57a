package cert

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

// maxNames bounds the alternative names and the parts of the subject: ten
// thousand of them have slowed down others' checks.
const maxNames = 100

// notYetValidGrace is how early a certificate may be received: a renewal is made
// ahead of time.
const notYetValidGrace = 30 * 24 * time.Hour

// Check holds a certificate against a demand. Each rule gives its outcome, so
// that the person who made the certificate hears everything at once.
func Check(c *x509.Certificate, d Demand, now time.Time) Verdict {
	v := Verdict{notCA(c)}
	pub, isRSA := c.PublicKey.(*rsa.PublicKey)
	if isRSA {
		v = append(v, keySize(pub, d), exponent(pub), weakKey(pub))
	} else {
		v = append(v, keyType(c))
	}
	v = append(v, keyUsage(c, d.KeyUsage), extendedKeyUsage(c), criticalExtension(c))
	v = append(v, subjectRules(c, d)...)
	return append(v,
		validityLength(c, d), validityNow(c, now),
		signatureAlgorithm(c), issuer(c, v.holds("weak-key", "key-size", "exponent")),
		serialNumber(c), names(c))
}

// holds reports whether every rule named is there and ok.
func (v Verdict) holds(codes ...string) bool {
	for _, code := range codes {
		if !slices.ContainsFunc(v, func(r Rule) bool { return r.Code == code && r.Level == OK }) {
			return false
		}
	}
	return true
}

// wants completes a rule: it is ok, or else it is at the level given and says
// what to do.
func (r Rule) wants(ok bool, otherwise Level, do string) Rule {
	r.Level = OK
	if !ok {
		r.Level, r.Do = otherwise, do
	}
	return r
}

// notCA refuses a certificate that may issue others. One that is self-signed and
// has no such usage is what openssl req -x509 makes unless told otherwise: a
// slip, not a danger, for nothing here trusts it to issue.
func notCA(c *x509.Certificate) Rule {
	level := Refused
	if bytes.Equal(c.RawSubject, c.RawIssuer) && c.KeyUsage&usagesOfCA == 0 {
		level = Warning
	}
	found := "an end entity"
	if c.IsCA {
		found = "a CA certificate (basicConstraints CA:TRUE)"
	}
	return Rule{Code: "not-ca", Name: "End entity", Found: found, Wanted: "an end entity"}.
		wants(!c.IsCA, level, "Issue it again with basicConstraints CA:FALSE; with openssl req -x509 add -addext basicConstraints=critical,CA:FALSE.")
}

// keyType refuses what is no RSA key. One that is bound to RSA-PSS is RSA by its
// numbers, but what signs with it here is RSASSA-PKCS1-v1_5.
func keyType(c *x509.Certificate) Rule {
	r := Rule{Code: "key-type", Name: "Kind of key", Found: c.PublicKeyAlgorithm.String(), Wanted: "RSA"}
	do := "Make an RSA key pair, for example with openssl genrsa 4096, and a certificate for it."
	if c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		var spki struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		switch rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); {
		case err != nil || len(rest) != 0:
			r.Found = "of an unknown kind"
		case spki.Algorithm.Algorithm.Equal(oidRSAPSS):
			r.Found = "RSA-PSS (id-RSASSA-PSS)"
			do = "Make an RSA key pair under the OID rsaEncryption, for example with openssl genrsa 4096 and not genpkey -algorithm RSA-PSS, and a certificate for it."
		default:
			r.Found = "of kind " + spki.Algorithm.Algorithm.String()
		}
	}
	return r.wants(false, Refused, do)
}

func keySize(pub *rsa.PublicKey, d Demand) Rule {
	bits := pub.N.BitLen()
	wanted := "RSA of " + join(d.sizes()) + " bits"
	if d.PreferBits != 0 {
		wanted += ", preferably " + strconv.Itoa(d.PreferBits)
	}
	found := fmt.Sprintf("RSA of %d bits", bits)
	ok := slices.Contains(d.sizes(), bits)
	if ok && d.PreferBits != 0 && bits != d.PreferBits {
		found += " (allowed, not the preferred size)"
	}
	return Rule{Code: "key-size", Name: "Size of the key", Found: found, Wanted: wanted}.
		wants(ok, Refused, fmt.Sprintf("Make a new key pair of %d bits, for example with openssl genrsa %[1]d, and a certificate for it.", d.preferred()))
}

func exponent(pub *rsa.PublicKey) Rule {
	return Rule{Code: "exponent", Name: "Public exponent", Found: strconv.Itoa(pub.E), Wanted: strconv.Itoa(publicExponent)}.
		wants(pub.E == publicExponent, Refused, "Make a new key pair with the public exponent 65537, which is what openssl genrsa uses.")
}

func weakKey(pub *rsa.PublicKey) Rule {
	r := Rule{Code: "weak-key", Name: "Known weaknesses", Found: "none", Wanted: "none"}
	err := CheckKey(pub)
	switch {
	case err == nil:
		return r.wants(true, OK, "")
	case errors.Is(err, ErrKeySize), errors.Is(err, ErrKeyExponent):
		r.Found = "not examined: " + err.Error()
		return r.wants(false, Refused, "First mend the size or the exponent of the key, by a new key pair.")
	}
	r.Found = err.Error()
	return r.wants(false, Refused, "Never use this key again: make a new pair with current software, and tell us if the old one was in use.")
}

const usagesOfCA = x509.KeyUsageCertSign | x509.KeyUsageCRLSign

var oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} // RFC 4055, section 1.2

type namedUsage struct {
	name string
	bit  x509.KeyUsage
}

// keyUsages has the names of RFC 5280, section 4.2.1.3, in its order.
var keyUsages = []namedUsage{
	{"digitalSignature", x509.KeyUsageDigitalSignature},
	{"nonRepudiation", x509.KeyUsageContentCommitment},
	{"keyEncipherment", x509.KeyUsageKeyEncipherment},
	{"dataEncipherment", x509.KeyUsageDataEncipherment},
	{"keyAgreement", x509.KeyUsageKeyAgreement},
	{"keyCertSign", x509.KeyUsageCertSign},
	{"cRLSign", x509.KeyUsageCRLSign},
	{"encipherOnly", x509.KeyUsageEncipherOnly},
	{"decipherOnly", x509.KeyUsageDecipherOnly},
}

func keyUsage(c *x509.Certificate, d KeyUsageDemand) Rule {
	if len(d.Required)+len(d.Allowed) == 0 {
		// Without a demand anything goes that is not a CA's.
		free := Rule{Code: "key-usage", Name: "Key usage", Found: "not demanded", Wanted: "not that of a CA"}
		return free.wants(c.KeyUsage&usagesOfCA == 0, Refused,
			"The key may sign certificates: issue one without keyCertSign and cRLSign, for a key of its own.")
	}
	var has, missing, extra, ofCA []string
	for _, u := range keyUsages {
		present := c.KeyUsage&u.bit != 0
		required := slices.Contains(d.Required, u.name)
		if present {
			has = append(has, u.name)
		}
		if required && !present {
			missing = append(missing, u.name)
		}
		switch {
		case !present || required || slices.Contains(d.Allowed, u.name):
		case u.bit&usagesOfCA != 0:
			ofCA = append(ofCA, u.name)
		default:
			extra = append(extra, u.name)
		}
	}
	r := Rule{Code: "key-usage", Name: "Key usage", Found: strings.Join(has, ", "), Wanted: strings.Join(d.Required, ", ")}
	allowed := slices.DeleteFunc(slices.Clone(d.Allowed), func(name string) bool { return slices.Contains(d.Required, name) })
	switch {
	case len(allowed) > 0 && r.Wanted != "":
		r.Wanted += "; allowed too: " + strings.Join(allowed, ", ")
	case len(allowed) > 0:
		r.Wanted = "any of " + strings.Join(allowed, ", ")
	}
	advice := strings.Join(d.Required, ",")
	if advice == "" {
		advice = strings.Join(d.Allowed, ",")
	}
	again := "; issue it again, with openssl -addext keyUsage=critical," + advice + "."
	switch {
	case c.KeyUsage == 0:
		r.Found = "no key usage"
		level := Refused
		if d.Absent == Warning {
			level = Warning
		}
		return r.wants(false, level, "The certificate says nothing about its use"+again)
	case len(missing) > 0:
		return r.wants(false, Refused, "The usage "+strings.Join(missing, ", ")+" is missing"+again)
	case len(ofCA) > 0:
		return r.wants(false, Refused, "The usage "+strings.Join(ofCA, ", ")+" is that of a CA: take a key of its own"+again)
	case len(extra) > 0:
		// The key does what it is for; that it may do more endangers its owner only.
		return r.wants(false, Warning, "It can be used, but one key, one use: next time leave out "+strings.Join(extra, ", ")+", with openssl -addext keyUsage=critical,"+advice+".")
	}
	return r.wants(true, OK, "")
}

// extendedKeyUsage only warns: no partner asks for the extension, but one that
// names other purposes alone shows that the key was made for something else.
func extendedKeyUsage(c *x509.Certificate) Rule {
	r := Rule{Code: "extended-key-usage", Name: "Extended key usage", Found: "none", Wanted: "none, or one that does not restrict the key to another purpose"}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return r.wants(true, OK, "")
	}
	var has []string
	fits := false
	for _, u := range c.ExtKeyUsage {
		name, known := extendedNames[u]
		if !known {
			name = "number " + strconv.Itoa(int(u))
		}
		has = append(has, name)
		fits = fits || u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageEmailProtection
	}
	for _, oid := range c.UnknownExtKeyUsage {
		has = append(has, oid.String())
	}
	r.Found = termtext.Short(strings.Join(has, ", "))
	return r.wants(fits, Warning, "The key looks made for another purpose: issue a certificate for a key of its own, without extendedKeyUsage.")
}

var extendedNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny:             "anyExtendedKeyUsage",
	x509.ExtKeyUsageServerAuth:      "serverAuth",
	x509.ExtKeyUsageClientAuth:      "clientAuth",
	x509.ExtKeyUsageCodeSigning:     "codeSigning",
	x509.ExtKeyUsageEmailProtection: "emailProtection",
	x509.ExtKeyUsageTimeStamping:    "timeStamping",
	x509.ExtKeyUsageOCSPSigning:     "OCSPSigning",
}

// criticalExtension holds RFC 5280, section 4.2: who does not know an extension
// that is marked critical must reject the certificate.
func criticalExtension(c *x509.Certificate) Rule {
	r := Rule{Code: "critical-extension", Name: "Critical extensions", Found: "none that is unknown", Wanted: "none that is unknown"}
	var unknown []string
	for _, oid := range c.UnhandledCriticalExtensions {
		unknown = append(unknown, oid.String())
	}
	if len(unknown) > 0 {
		r.Found = "unknown: " + termtext.Short(strings.Join(unknown, ", "))
	}
	return r.wants(len(unknown) == 0, Refused, "Issue it again without the extension, or with it marked not critical.")
}

func signatureAlgorithm(c *x509.Certificate) Rule {
	r := Rule{Code: "signature-algorithm", Name: "Signature algorithm", Found: c.SignatureAlgorithm.String(), Wanted: "RSA or ECDSA with SHA-256 or stronger"}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return r.wants(true, OK, "")
	}
	return r.wants(false, Refused, "Issue it again, signed with SHA-256: openssl req -x509 -sha256, or keytool -sigalg SHA256withRSA.")
}

// issuer tells self-signed from CA-signed; both are accepted. The signature of a
// self-signed one is verified, which proves that its maker has the key; keyIsFit
// keeps that from running on a key of absurd size.
func issuer(c *x509.Certificate, keyIsFit bool) Rule {
	r := Rule{Code: "issuer", Name: "Issuer", Wanted: "itself or a CA"}
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		r.Found = "signed by a CA: " + termtext.Quote(c.Issuer.String())
		return r.wants(true, OK, "")
	}
	r.Found = "self-signed"
	if !keyIsFit {
		r.Found = "self-signed; the signature was not verified because of the key"
		return r.wants(true, OK, "")
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var weak x509.InsecureAlgorithmError
	if errors.As(err, &weak) || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		r.Found = "self-signed; the signature was not verified because of its algorithm"
		return r.wants(true, OK, "")
	}
	if err != nil {
		r.Found = "names itself as issuer, but its signature is not by its own key"
	}
	return r.wants(err == nil, Refused, "The certificate was altered or damaged after signing: export it again from where it was made, or make a new one.")
}

// serialNumber holds RFC 5280, section 4.1.2.2: positive, at most 20 octets.
func serialNumber(c *x509.Certificate) Rule {
	const wanted = "positive, at most 20 octets"
	octets := c.SerialNumber.BitLen()/8 + 1
	r := Rule{Code: "serial", Name: "Serial number", Found: termtext.Short(c.SerialNumber.Text(16)), Wanted: wanted}
	if octets > 20 {
		r.Found = fmt.Sprintf("%d octets", octets)
	}
	return r.wants(c.SerialNumber.Sign() > 0 && octets <= 20, Refused,
		"Issue it again with a random serial number of 16 octets, which is what openssl req -x509 makes unless told otherwise.")
}

func join(numbers []int) string {
	var out []string
	for _, n := range numbers {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ", ")
}
