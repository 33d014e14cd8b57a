package hostile_test

import (
	"bytes"
	"encoding/pem"
	"strings"
)

// notCertificates are files that hold something else, or more.
var notCertificates = []made{
	{"request-pem", "certificate request, not a certificate", "RFC 2986", func() []byte { return pemBlock("CERTIFICATE REQUEST", request()) }, nil},
	{"request-labelled-certificate", "certificate request, not a certificate", "RFC 2986", func() []byte { return pems(request()) }, nil},
	{"request-der", "certificate request, not a certificate", "RFC 2986", request, nil},
	{"revocation-list-pem", "PEM block \"X509 CRL\"", "RFC 5280, section 5", func() []byte { return pemBlock("X509 CRL", crl()) }, nil},
	{"revocation-list-der", "issue it again", "RFC 5280, section 5", crl, nil},
	{"html-page", "no PEM, DER, PKCS#7, JWK or base64", "a portal answered with its log-in page", func() []byte { return []byte(htmlPage) }, nil},
	{"empty", "the file is empty", "an upload that failed", func() []byte { return []byte{} }, nil},
	{"white-space", "the file is empty", "an upload that failed", func() []byte { return []byte("\r\n \t\r\n") }, nil},
	{"nul-octets", "no PEM, DER, PKCS#7, JWK or base64", "a disk that lost what was written", func() []byte { return make([]byte, 1000) }, nil},
	{"hyphens-changed", "has not its five hyphens", "a word processor", func() []byte {
		return bytes.ReplaceAll(pems(soundCertificate()), []byte("-----"), []byte("\u2013\u2013\u2013\u2013\u2013"))
	}, nil},
	{"base64-cut", "the end or some lines are missing", "mail that cut lines", func() []byte {
		lines := strings.SplitAfter(string(pems(soundCertificate())), "\n")
		return []byte(strings.Join(append(lines[:5:5], lines[9:]...), ""))
	}, nil},
	{"end-missing", "the end was cut", "mail that cut lines", func() []byte { return pems(soundCertificate())[:700] }, nil},
	{"label-not-closed", "not closed by five hyphens", "RFC 7468, section 2", func() []byte {
		return bytes.Replace(pems(soundCertificate()), []byte("CERTIFICATE-----\n"), []byte("CERTIFICATE\n"), 1)
	}, nil},
	{"nul-in-base64", "base64 does not know", "RFC 7468, section 3", func() []byte { b := pems(soundCertificate()); b[300] = 0; return b }, nil},
	{"begin-lines", "the end was cut", "a file of BEGIN lines only: each could start a search to the end", func() []byte {
		return bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 9000)
	}, nil},
	{"blocks-17", "more than 16 PEM blocks", "docs/certificates: at most 16", func() []byte { return bytes.Repeat(pems(soundCertificate()), 17) }, nil},
	{"trusted-certificate", "something else follow", "OpenSSL's TRUSTED CERTIFICATE: its own data follow the certificate", func() []byte {
		return pemBlock("TRUSTED CERTIFICATE", append(soundCertificate(), sequence(sequence(oid("1.3.6.1.5.5.7.3.1")))...))
	}, nil},
	{"public-key-of-another", "not the one of the certificate", "nobody can tell which is meant", func() []byte { return append(pems(soundCertificate()), otherPair().spkiPEM()...) }, nil},
	{"headers-in-block", "", "RFC 1421, section 4.6: headers, which encoding/pem reads too", func() []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Comment": "hostile"}, Bytes: soundCertificate()})
	}, nil},
	{"label-wrong", "", "RFC 7468, section 2: what is inside decides", func() []byte { return pemBlock("PKCS7", soundCertificate()) }, nil},
	{"twice", "", "the same file pasted twice", func() []byte { return pems(soundCertificate(), soundCertificate()) }, nil},
	{"utf-16", "", "what Windows PowerShell's redirection writes", func() []byte { return utf16Text(pems(soundCertificate()), true) }, nil},
	{"utf-16-half", "half a character", "UTF-16 that was cut", func() []byte { b := utf16Text(pems(soundCertificate()), true); return b[:len(b)-1] }, nil},
	{"utf-8-mark", "", "what Windows editors put first", func() []byte { return append([]byte("\xef\xbb\xbf"), pems(soundCertificate())...) }, nil},

	{"private-key-beside", leak, "the whole folder was sent", func() []byte { return append(pems(soundCertificate()), sound().pkcs8PEM()...) }, nil},
	{"private-key-before", leak, "the whole folder was sent", func() []byte { return append(sound().pkcs1PEM(), pems(soundCertificate())...) }, nil},
	{"private-key-encrypted-beside", leak, "the whole folder was sent", func() []byte {
		return append(pems(soundCertificate()), pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs8(), rightPassphrase))...)
	}, nil},
	{"private-key-labelled-certificate", leak, "RFC 7468, section 2: the label is wrong", func() []byte { return pems(sound().pkcs8()) }, nil},
	{"private-key-base64", leak, "a key without its PEM lines", func() []byte { return []byte(std64(sound().pkcs8())) }, nil},
	{"private-key-der", leak, "a key in place of its certificate", func() []byte { return sound().pkcs1() }, nil},
	{"private-key-der-trailing", leak, "a key in place of its certificate, and a line end", func() []byte { return append(sound().pkcs8(), '\n') }, nil},
	{"private-key-cut", leak, "mail that cut lines", func() []byte { return sound().pkcs8PEM()[:700] }, nil},
	{"private-key-utf-16", leak, "what Windows PowerShell's redirection writes", func() []byte { return utf16Text(sound().pkcs8PEM(), true) }, nil},
	{"private-key-after-der", leak, "files joined by copy /b", func() []byte { return append(soundCertificate(), sound().pkcs8PEM()...) }, nil},
	{"private-key-store", leak, keyStoreForm, func() []byte { return soundStore(rightPassphrase) }, nil},
	{"private-key-store-in-clear", leak, keyStoreForm, func() []byte {
		return storeOf(sequence(contentInfo(sequence(keyBag(sound().pkcs8()), certBag(soundCertificate())))), nil)
	}, nil},
	{"private-key-in-pkcs7", leak, "RFC 5652, section 5.1: a key among the certificates", func() []byte { return signedData(soundCertificate(), sound().pkcs8()) }, nil},
	{"private-key-xml", leak, ".NET's RSA.ToXmlString(true): D and P are there", func() []byte {
		k := sound()
		return []byte("<RSAKeyValue><Modulus>" + std64(k.n.Bytes()) + "</Modulus><Exponent>AQAB</Exponent><P>" + std64(k.p.Bytes()) + "</P><Q>" + std64(k.q.Bytes()) + "</Q><D>" + std64(k.d.Bytes()) + "</D></RSAKeyValue>\n")
	}, nil},
}
