package cert

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/termtext"
)

var oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} // RFC 4055, section 1.2

// keyType refuses keys that are not RSA. It also refuses an RSA key that is bound to
// RSA-PSS by its OID, because the same pair has to decrypt with RSA-OAEP.
func keyType(c *x509.Certificate) Finding {
	f := Finding{Code: "key-type", Name: "Kind of key", Found: c.PublicKeyAlgorithm.String(), Wanted: "RSA"}
	remedy := "Make an RSA key pair, for example with openssl genrsa 4096, and a certificate for it."
	if c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		var spki struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		switch rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); {
		case err != nil || len(rest) != 0:
			f.Found = "of an unknown kind"
		case spki.Algorithm.Algorithm.Equal(oidRSAPSS):
			f.Found = "RSA-PSS (id-RSASSA-PSS)"
			remedy = "Make an RSA key pair under the OID rsaEncryption, for example with openssl genrsa 4096 " +
				"and not genpkey -algorithm RSA-PSS, and a certificate for it."
		default:
			f.Found = "of kind " + spki.Algorithm.Algorithm.String()
		}
	}
	return f.orElse(false, Refused, remedy)
}

func keySize(pub *rsa.PublicKey, p Policy) Finding {
	bits := pub.N.BitLen()
	wanted := "RSA of " + join(p.sizes()) + " bits"
	if p.PreferBits != 0 {
		wanted += ", preferably " + strconv.Itoa(p.PreferBits)
	}
	found := fmt.Sprintf("RSA of %d bits", bits)
	ok := slices.Contains(p.sizes(), bits)
	if ok && p.PreferBits != 0 && bits != p.PreferBits {
		found += " (allowed, not the preferred size)"
	}
	return Finding{Code: "key-size", Name: "Size of the key", Found: found, Wanted: wanted}.
		orElse(ok, Refused, fmt.Sprintf("Make a new key pair of %d bits, for example with openssl genrsa %[1]d, "+
			"and a certificate for it.", p.preferred()))
}

func join(numbers []int) string {
	var out []string
	for _, n := range numbers {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ", ")
}

func exponent(pub *rsa.PublicKey) Finding {
	return Finding{
		Code: "exponent", Name: "Public exponent", Found: strconv.Itoa(pub.E), Wanted: strconv.Itoa(publicExponent),
	}.orElse(pub.E == publicExponent, Refused,
		"Make a new key pair with the public exponent 65537, which is what openssl genrsa uses.")
}

func weakKey(pub *rsa.PublicKey) Finding {
	f := Finding{Code: "weak-key", Name: "Known weaknesses", Found: "none", Wanted: "none"}
	err := CheckKey(pub)
	switch {
	case err == nil:
		return f.orElse(true, OK, "")
	case errors.Is(err, ErrKeySize), errors.Is(err, ErrKeyExponent):
		f.Found = "not examined: " + err.Error()
		return f.orElse(false, Refused, "First correct the size or the exponent, with a new key pair.")
	}
	f.Found = err.Error()
	return f.orElse(false, Refused, "Never use this key again: make a new pair with current software, "+
		"and tell us if the old one was in use.")
}

const usagesOfCA = x509.KeyUsageCertSign | x509.KeyUsageCRLSign

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

func keyUsage(c *x509.Certificate, p KeyUsagePolicy) Finding {
	f := Finding{Code: "key-usage", Name: "Key usage"}
	if len(p.Required)+len(p.Allowed) == 0 {
		f.Found, f.Wanted = "not restricted", "not that of a CA"
		return f.orElse(c.KeyUsage&usagesOfCA == 0, Refused,
			"The key may sign certificates: issue one without keyCertSign and cRLSign, for a key of its own.")
	}
	u := sortUsages(c.KeyUsage, p)
	f.Found, f.Wanted = strings.Join(u.has, ", "), p.wanted()
	again := "; issue it again, with openssl -addext keyUsage=critical," + p.example() + "."
	switch {
	case c.KeyUsage == 0:
		f.Found = "no key usage"
		level := Refused
		if p.Absent == Warning {
			level = Warning
		}
		return f.orElse(false, level, "The certificate does not state its key usage"+again)
	case len(u.missing) > 0:
		return f.orElse(false, Refused, "The usage "+strings.Join(u.missing, ", ")+" is missing"+again)
	case len(u.ofCA) > 0:
		return f.orElse(false, Refused,
			"The usage "+strings.Join(u.ofCA, ", ")+" is that of a CA: use a separate key"+again)
	case len(u.extra) > 0:
		// The key fits its purpose. That it may do more endangers its owner only.
		return f.orElse(false, Warning, "It can be used, but one key should have one use: next time leave out "+
			strings.Join(u.extra, ", ")+", with openssl -addext keyUsage=critical,"+p.example()+".")
	}
	return f.orElse(true, OK, "")
}

// sortedUsages are the names of a certificate's usages, by what a policy says of them.
type sortedUsages struct {
	has, missing []string
	extra, ofCA  []string // neither required nor allowed
}

func sortUsages(usage x509.KeyUsage, p KeyUsagePolicy) (s sortedUsages) {
	for _, u := range keyUsages {
		present := usage&u.bit != 0
		required := slices.Contains(p.Required, u.name)
		if present {
			s.has = append(s.has, u.name)
		}
		switch {
		case required && !present:
			s.missing = append(s.missing, u.name)
		case !present || required || slices.Contains(p.Allowed, u.name):
		case u.bit&usagesOfCA != 0:
			s.ofCA = append(s.ofCA, u.name)
		default:
			s.extra = append(s.extra, u.name)
		}
	}
	return s
}

func (p KeyUsagePolicy) wanted() string {
	optional := slices.DeleteFunc(slices.Clone(p.Allowed), func(name string) bool {
		return slices.Contains(p.Required, name)
	})
	switch {
	case len(optional) == 0:
		return strings.Join(p.Required, ", ")
	case len(p.Required) == 0:
		return "any of " + strings.Join(optional, ", ")
	}
	return strings.Join(p.Required, ", ") + "; also allowed: " + strings.Join(optional, ", ")
}

// example returns usages that the policy accepts, as openssl takes them.
func (p KeyUsagePolicy) example() string {
	if len(p.Required) == 0 {
		return strings.Join(p.Allowed, ",")
	}
	return strings.Join(p.Required, ",")
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

// extendedKeyUsage only warns. No partner asks for the extension, but one that names
// only other purposes shows that the key was made for something else.
func extendedKeyUsage(c *x509.Certificate) Finding {
	f := Finding{
		Code: "extended-key-usage", Name: "Extended key usage", Found: "none",
		Wanted: "none, or one that does not restrict the key to another purpose",
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return f.orElse(true, OK, "")
	}
	var has []string
	fits := false
	for _, u := range c.ExtKeyUsage {
		name, known := extendedNames[u]
		if !known {
			name = "number " + strconv.Itoa(int(u))
		}
		has = append(has, name)
		switch u {
		case x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
			x509.ExtKeyUsageEmailProtection:
			fits = true
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		has = append(has, oid.String())
	}
	f.Found = termtext.Short(strings.Join(has, ", "))
	return f.orElse(fits, Warning, "The key seems to be made for another purpose: "+
		"issue a certificate for a separate key, without extendedKeyUsage.")
}
