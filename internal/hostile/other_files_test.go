package hostile_test

import (
	"bytes"
	"encoding/pem"
	"strings"
)

const privateLine = "-----BEGIN RSA PRIVATE KEY-----"

// notCertificates are files that hold something else, or more.
var notCertificates = []made{
	{"request-pem", "certificate request, not a certificate", "RFC 2986",
		func() []byte { return pemBlock("CERTIFICATE REQUEST", request()) }, nil},
	{"request-labelled-certificate", "certificate request, not a certificate", "RFC 2986",
		func() []byte { return pems(request()) }, nil},
	{"request-der", "certificate request, not a certificate", "RFC 2986", request, nil},
	{"revocation-list-pem", "PEM block \"X509 CRL\"", "RFC 5280, section 5",
		func() []byte { return pemBlock("X509 CRL", crl()) }, nil},
	{"revocation-list-der", "list of revoked certificates", "RFC 5280, section 5", crl, nil},
	{"html-page", "an HTML page", "a portal answered with its log-in page",
		func() []byte { return []byte(htmlPage) }, nil},
	{"empty", "the file is empty", "an upload that failed", func() []byte { return []byte{} }, nil},
	{"white-space", "the file is empty", "an upload that failed", func() []byte { return []byte("\r\n \t\r\n") }, nil},
	{"nul-octets", "not PEM, DER, PKCS#7, JWK or base64", "a disk that lost what was written",
		func() []byte { return make([]byte, 1000) }, nil},
	{"hyphens-changed", "", "a word processor", func() []byte {
		return bytes.ReplaceAll(pems(soundCertificate()), []byte("-----"), []byte("\u2013\u2013\u2013\u2013\u2013"))
	}, nil},
	{"base64-cut", "the end or some lines are missing", "mail that cut lines", func() []byte {
		lines := strings.SplitAfter(string(pems(soundCertificate())), "\n")
		return []byte(strings.Join(append(lines[:5:5], lines[9:]...), ""))
	}, nil},
	{"end-missing", "the end was cut", "mail that cut lines", func() []byte { return pems(soundCertificate())[:700] },
		nil},
	{"label-not-closed", "", "RFC 7468, section 2", func() []byte {
		return bytes.Replace(pems(soundCertificate()), []byte("CERTIFICATE-----\n"), []byte("CERTIFICATE\n"), 1)
	}, nil},
	{"nul-in-base64", "base64 does not know", "RFC 7468, section 3",
		func() []byte { b := pems(soundCertificate()); b[300] = 0; return b }, nil},
	{"begin-lines", "the end was cut", "a file of BEGIN lines only: each could start a search to the end",
		func() []byte {
			return bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 9000)
		}, nil},
	{"blocks-17", "more than 16 PEM blocks", "Sealane's limit: at most 16",
		func() []byte { return bytes.Repeat(pems(soundCertificate()), 17) }, nil},
	{"trusted-certificate", "something else follow",
		"OpenSSL's TRUSTED CERTIFICATE: its own data follow the certificate", func() []byte {
			return pemBlock("TRUSTED CERTIFICATE",
				append(soundCertificate(), sequence(sequence(oid("1.3.6.1.5.5.7.3.1")))...))
		}, nil},
	{"public-key-of-another", "not the one of the certificate", "it is not clear which one is meant",
		func() []byte { return append(pems(soundCertificate()), otherPair().spkiPEM()...) }, nil},
	{"headers-in-block", "", "RFC 1421, section 4.6: headers, which encoding/pem reads too", func() []byte {
		return pem.EncodeToMemory(&pem.Block{
			Type:    "CERTIFICATE",
			Headers: map[string]string{"Comment": "hostile"},
			Bytes:   soundCertificate(),
		})
	}, nil},
	{"label-wrong", "", "RFC 7468, section 2: what is inside decides",
		func() []byte { return pemBlock("PKCS7", soundCertificate()) }, nil},
	{"twice", "", "the same file pasted twice", func() []byte { return pems(soundCertificate(), soundCertificate()) },
		nil},
	{"utf-16", "", "what Windows PowerShell's redirection writes",
		func() []byte { return utf16Text(pems(soundCertificate()), true) }, nil},
	{"utf-16-half", "half a character", "UTF-16 that was cut",
		func() []byte { b := utf16Text(pems(soundCertificate()), true); return b[:len(b)-1] }, nil},
	{"utf-8-mark", "", "what Windows editors put first",
		func() []byte { return append([]byte("\xef\xbb\xbf"), pems(soundCertificate())...) }, nil},

	{"private-key-mentioned-in-comment", "",
		"RFC 7468, section 2: text outside of the blocks; no key follows the line", func() []byte {
			return append([]byte("# never send a file with "+privateLine+"\n"), pems(soundCertificate())...)
		}, nil},
	{"private-key-mentioned-in-letter", "", "RFC 7468, section 2: text outside of the blocks; no key follows the line",
		func() []byte {
			letter := "Dear partner,\n\nhere is our certificate. A file that has the line\n\n    " + privateLine +
				"\n\nstays with you: it must never be sent to us.\n\n"
			return append([]byte(letter), pems(soundCertificate())...)
		}, nil},
	{"private-key-mentioned-alone", "not PEM", "a letter without the certificate", func() []byte {
		return []byte("Never send us a file with " + privateLine + ", please.\n")
	}, nil},
	{"private-key-behind-mention", leak, "what the warning is about", func() []byte {
		return append([]byte("# never send a file with "+privateLine+"\n"),
			append(pems(soundCertificate()), sound().pkcs1PEM()...)...)
	}, nil},
	{"java-trust-store", "keytool -exportcert",
		"Java's JKS, keytool -importcert: each entry says unencrypted that it is a certificate", func() []byte {
			return javaStore(javaEntry(2, soundCertificate()))
		}, nil},
	{"java-trust-store-empty", "without an entry", "Java's JKS", func() []byte { return javaStore() }, nil},
	{"java-key-store", leak, "Java's JKS: an entry of the kind 1", func() []byte {
		return javaStore(javaEntry(2, soundCertificate()), javaEntry(1, sealed(sound().pkcs8(), rightPassphrase)))
	}, nil},
	{"java-secret-store", leak, "Java's JCEKS: an entry of the kind 3", func() []byte {
		return append([]byte{0xce, 0xce, 0xce, 0xce}, javaStore(javaEntry(3, random(200)))[4:]...)
	}, nil},
	{"java-trust-store-with-key", leak, "a PKCS#8 in the place of a certificate", func() []byte {
		return javaStore(javaEntry(2, sound().pkcs8()))
	}, note("the key is named")},
	{"ec-parameters-beside", "EC PARAMETERS",
		"RFC 3279, section 2.3.5: a curve in full begins with an INTEGER and a SEQUENCE, as a PKCS#8 does",
		func() []byte {
			return append(pemBlock("EC PARAMETERS", explicitCurve()), pems(soundCertificate())...)
		}, nil},
	{"ec-parameters-der", "neither a certificate nor PKCS#7", "RFC 3279, section 2.3.5", explicitCurve, nil},
	{"pkcs7-digested", "digested-data", "RFC 5652, section 7", func() []byte {
		content := sequence(small(0), sequence(oid("2.16.840.1.101.3.4.2.1"), null),
			sequence(oid("1.2.840.113549.1.7.1"), tlv(0xa0, octets([]byte("data")))), octets(random(32)))
		return sequence(oid("1.2.840.113549.1.7.5"), tlv(0xa0, content))
	}, nil},
	{"pkcs7-under-passphrase", "under a key or a passphrase", "RFC 5652, section 6; RFC 3211", func() []byte {
		kdf := tlv(0xa0, oid("1.2.840.113549.1.5.12"), sequence(octets(random(16)), small(2048)))
		wrap := sequence(oid("1.2.840.113549.1.9.16.3.9"), sequence(oid(aes256CBC), octets(random(16))))
		recipient := tlv(0xa3, small(0), kdf, wrap, octets(random(48)))
		encrypted := sequence(oid("1.2.840.113549.1.7.1"), sequence(oid(aes256CBC), octets(random(16))),
			tlv(0x80, random(1232)))
		return pemBlock("CMS",
			sequence(oid("1.2.840.113549.1.7.3"), tlv(0xa0, sequence(small(3), setOf(recipient), encrypted))))
	}, nil},

	{"private-key-beside", leak, "the whole folder was sent",
		func() []byte { return append(pems(soundCertificate()), sound().pkcs8PEM()...) }, nil},
	{"private-key-before", leak, "the whole folder was sent",
		func() []byte { return append(sound().pkcs1PEM(), pems(soundCertificate())...) }, nil},
	{"private-key-encrypted-beside", leak, "the whole folder was sent", func() []byte {
		return append(pems(soundCertificate()),
			pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs8(), rightPassphrase))...)
	}, nil},
	{"private-key-labelled-certificate", leak, "RFC 7468, section 2: the label is wrong",
		func() []byte { return pems(sound().pkcs8()) }, nil},
	{"private-key-base64", leak, "a key without its PEM lines",
		func() []byte { return []byte(std64(sound().pkcs8())) }, nil},
	{"private-key-der", leak, "a key in place of its certificate", func() []byte { return sound().pkcs1() }, nil},
	{"private-key-der-trailing", leak, "a key in place of its certificate, and a line end",
		func() []byte { return append(sound().pkcs8(), '\n') }, nil},
	{"private-key-cut", leak, "mail that cut lines", func() []byte { return sound().pkcs8PEM()[:700] }, nil},
	{"private-key-utf-16", leak, "what Windows PowerShell's redirection writes",
		func() []byte { return utf16Text(sound().pkcs8PEM(), true) }, nil},
	{"private-key-after-der", leak, "files joined by copy /b",
		func() []byte { return append(soundCertificate(), sound().pkcs8PEM()...) }, nil},
	{"private-key-store", leak, keyStoreForm, func() []byte { return soundStore(rightPassphrase) }, nil},
	{"private-key-store-in-clear", leak, keyStoreForm, func() []byte {
		return storeOf(sequence(contentInfo(sequence(keyBag(sound().pkcs8()), certBag(soundCertificate())))), nil)
	}, nil},
	{"private-key-in-pkcs7", leak, "RFC 5652, section 5.1: a key among the certificates",
		func() []byte { return signedData(soundCertificate(), sound().pkcs8()) }, nil},
	{"private-key-xml", leak, ".NET's RSA.ToXmlString(true): D and P are there", func() []byte {
		k := sound()
		return []byte("<RSAKeyValue><Modulus>" + std64(k.n.Bytes()) + "</Modulus><Exponent>AQAB</Exponent><P>" +
			std64(k.p.Bytes()) + "</P><Q>" + std64(k.q.Bytes()) + "</Q><D>" + std64(k.d.Bytes()) +
			"</D></RSAKeyValue>\n")
	}, nil},
}
