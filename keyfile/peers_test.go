package keyfile_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// TestOpenSSLReadsOurs has every form that we write.
func TestOpenSSLReadsOurs(t *testing.T) {
	ssl := peer(t, "openssl")
	p12, c := storePKCS12(t)
	forms, err := keyfile.EncodeAll(c)
	must(t, err)
	for ext, data := range forms {
		ssl.write("ours"+ext, data)
	}
	table := cert.Fingerprints(nil, c)
	for _, args := range [][]string{
		{"x509", "-in", "ours.pem"}, {"x509", "-in", "ours.crt"}, {"x509", "-in", "ours.cer", "-inform", "DER"},
	} {
		out := ssl.run(append(args, "-noout", "-fingerprint", "-sha256")...)
		if !strings.Contains(out, table.Rows[0].SHA256.Colons) {
			t.Errorf("%v: %s", args, out)
		}
		which, ok := cert.Match(out, nil, c)
		if !ok || which != (cert.Matched{Of: cert.FormDER, Hash: crypto.SHA256}) {
			t.Errorf("what openssl printed does not match: %s", which)
		}
	}
	text := ssl.run("x509", "-in", "ours.pem", "-noout", "-text")
	for _, want := range []string{
		"Version: 3", "sha256WithRSAEncryption", "CN = rdx.issuer.example", "O = Issuer Bank", "OU = Key Team",
		"X509v3 Key Usage: critical\n                Key Encipherment\n",
		"X509v3 Basic Constraints: critical\n                CA:FALSE",
		"email:keys@issuer.example", "Not Before: Nov 21 12:00:00 2026 GMT", "Not After : Nov 21 12:00:00 2028 GMT",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("openssl does not show %q:\n%s", want, text)
		}
	}
	ssl.run("asn1parse", "-in", "ours.cer", "-inform", "DER")
	ssl.run("asn1parse", "-in", "ours.p7b")
	certificate := strings.TrimSpace(string(forms[".pem"]))
	if out := ssl.run("pkcs7", "-in", "ours.p7b", "-print_certs"); !strings.Contains(out, certificate) {
		t.Errorf("pkcs7: %s", out)
	}
	p7, err := keyfile.EncodePKCS7DER(c)
	must(t, err)
	ssl.write("ours.p7b.der", p7)
	out := ssl.run("pkcs7", "-in", "ours.p7b.der", "-inform", "DER", "-print_certs")
	if !strings.Contains(out, certificate) {
		t.Errorf("pkcs7: %s", out)
	}
	ssl.run("verify", "-attime", fmt.Sprint(testcert.Now.Unix()+60), "-CAfile", "ours.pem", "ours.pem")

	plain, err := keyfile.EncodePrivate(testcert.Key(), nil)
	must(t, err)
	sealed, err := ourSealed()
	must(t, err)
	ssl.write("plain.key", plain)
	ssl.write("sealed.key", sealed)
	ssl.write("ours.p12", p12)
	if out := ssl.run("rsa", "-in", "plain.key", "-check", "-noout"); !strings.Contains(out, "RSA key ok") {
		t.Errorf("rsa -check: %s", out)
	}
	if out := ssl.run("pkcs8", "-in", "sealed.key", "-passin", "pass:"+string(passphrase)); out != string(plain) {
		t.Error("pkcs8 decrypts to another key")
	}
	parse := ssl.run("asn1parse", "-in", "sealed.key")
	for _, want := range []string{"PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"} {
		if !strings.Contains(parse, want) {
			t.Errorf("the encryption has no %s:\n%s", want, parse)
		}
	}
	out = ssl.run("pkcs12", "-in", "ours.p12", "-passin", "pass:"+string(passphrase), "-noenc")
	if !strings.Contains(out, "BEGIN PRIVATE KEY") || !strings.Contains(out, certificate) {
		t.Error("pkcs12 lacks the key or the certificate")
	}
}

// TestOursReadsOpenSSL has every form that OpenSSL writes.
func TestOursReadsOpenSSL(t *testing.T) {
	ssl := peer(t, "openssl")
	pass := "pass:" + string(passphrase)
	ssl.run("req", "-x509", "-newkey", "rsa:2048", "-noenc", "-keyout", "k.pem", "-out", "c.pem",
		"-days", "730", "-sha256", "-subj", "/C=US/O=Issuer Bank/OU=Key Team/CN=rdx",
		"-addext", "basicConstraints=critical,CA:FALSE",
		"-addext", "keyUsage=critical,keyEncipherment", "-addext", "subjectAltName=email:keys@issuer.example")
	ssl.run("x509", "-in", "c.pem", "-outform", "DER", "-out", "c.der")
	ssl.run("x509", "-in", "c.pem", "-text", "-out", "c.txt")
	ssl.run("crl2pkcs7", "-nocrl", "-certfile", "c.pem", "-out", "c.p7b")
	ssl.run("crl2pkcs7", "-nocrl", "-certfile", "c.pem", "-outform", "DER", "-out", "c.p7b.der")
	ssl.run("rsa", "-in", "k.pem", "-pubout", "-out", "pub.pem")
	ssl.run("rsa", "-in", "k.pem", "-RSAPublicKey_out", "-outform", "DER", "-out", "pub.pkcs1")
	pemFile, err := keyfile.Parse(ssl.read("c.pem"))
	must(t, err)
	c := pemFile.Certificates[0]
	if v := cert.Check(c, testcert.Policy(), c.NotBefore); v.Refused() || v.Warned() {
		t.Errorf("%v", testcert.NotOK(v))
	}
	for name, format := range map[string]keyfile.Format{
		"c.der": keyfile.FormatDER, "c.txt": keyfile.FormatPEM,
		"c.p7b": keyfile.FormatPKCS7PEM, "c.p7b.der": keyfile.FormatPKCS7DER,
	} {
		f, err := keyfile.Parse(ssl.read(name))
		must(t, err)
		if f.Format != format || !f.Certificates[0].Equal(c) {
			t.Errorf("%s: %s, or another certificate", name, f.Format)
		}
	}
	for _, name := range []string{"pub.pem", "pub.pkcs1"} {
		f, err := keyfile.Parse(ssl.read(name))
		must(t, err)
		if !f.PublicKey.Equal(c.PublicKey) {
			t.Errorf("%s: another key", name)
		}
	}

	ssl.run("rsa", "-in", "k.pem", "-traditional", "-out", "k1.pem")
	ssl.run("rsa", "-in", "k.pem", "-outform", "DER", "-traditional", "-out", "k1.der")
	ssl.run("pkcs8", "-topk8", "-in", "k.pem", "-passout", pass, "-out", "k8.pem")
	ssl.run(
		"pkcs8", "-topk8", "-in", "k.pem", "-passout", pass, "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512",
		"-outform", "DER", "-out", "k8-512.der",
	)
	ssl.run("pkcs8", "-topk8", "-in", "k.pem", "-passout", pass, "-scrypt", "-out", "k8-scrypt.pem")
	ssl.run("pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-passout", pass, "-out", "k.p12")
	ssl.run("pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-passout", pass, "-out", "k-old.p12", "-descert")
	for _, name := range []string{
		"k.pem", "k1.pem", "k1.der", "k8.pem", "k8-512.der", "k8-scrypt.pem", "k.p12", "k-old.p12",
	} {
		key, _, err := keyfile.ParsePrivate(ssl.read(name), passphrase)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !key.PublicKey.Equal(c.PublicKey) {
			t.Errorf("%s: another key", name)
		}
	}
	ssl.run("rsa", "-in", "k.pem", "-traditional", "-aes256", "-passout", pass, "-out", "k-old.pem")
	_, _, err = keyfile.ParsePrivate(ssl.read("k-old.pem"), passphrase)
	wantError(t, err, "old encryption", "openssl pkcs8 -topk8")
	ssl.run("pkcs8", "-topk8", "-in", "k.pem", "-passout", pass, "-v2", "des3", "-out", "k8-des.pem")
	_, _, err = keyfile.ParsePrivate(ssl.read("k8-des.pem"), passphrase)
	wantError(t, err, "cipher 1.2.840.113549.3.7")

	ssl.run("req", "-x509", "-key", "k.pem", "-out", "ca.pem", "-subj", "/CN=careless")
	careless, err := keyfile.Parse(ssl.read("ca.pem"))
	must(t, err)
	leaf := careless.Certificates[0]
	verdict := cert.Check(leaf, testcert.Policy(), leaf.NotBefore)
	if r := testcert.Finding(t, verdict, "not-ca"); r.Level != cert.Warning {
		t.Errorf("%+v", r)
	}
	ssl.run(
		"req", "-x509", "-key", "k.pem", "-sha1", "-out", "sha1.pem", "-subj", "/CN=old", "-addext",
		"basicConstraints=critical,CA:FALSE",
	)
	old, err := keyfile.Parse(ssl.read("sha1.pem"))
	must(t, err)
	v := cert.Check(old.Certificates[0], testcert.Policy(), old.Certificates[0].NotBefore)
	if r := testcert.Finding(t, v, "signature-algorithm"); r.Level != cert.Refused || r.Found != "SHA1-RSA" {
		t.Errorf("%+v", r)
	}
	testcert.CheckAdvice(t, v)
}

func TestKeytoolBothWays(t *testing.T) {
	java := peer(t, "keytool")
	p12, c := storePKCS12(t)
	forms, err := keyfile.EncodeAll(c)
	must(t, err)
	p7, err := keyfile.EncodePKCS7DER(c)
	must(t, err)
	forms[".p7b.der"] = p7
	for ext, data := range forms {
		java.write("ours"+ext, data)
		sum := cert.Fingerprints(nil, c).Rows[0].SHA256.Colons
		if out := java.run("-printcert", "-file", "ours"+ext); !strings.Contains(out, sum) {
			t.Errorf("%s: %s", ext, out)
		}
	}
	java.run(
		"-importcert", "-noprompt", "-alias", "partner", "-file", "ours.cer", "-keystore", "trust.p12", "-storetype",
		"PKCS12", "-storepass", "changeit-changeit",
	)

	java.write("ours.p12", p12)
	out := java.run("-list", "-keystore", "ours.p12", "-storetype", "PKCS12", "-storepass", string(passphrase))
	if !strings.Contains(out, "PrivateKeyEntry") {
		t.Errorf("keytool -list: %s", out)
	}

	java.run("-genkeypair", "-alias", "a", "-keyalg", "RSA", "-keysize", "2048",
		"-dname", "CN=java, OU=Key Team, O=Issuer Bank", "-validity", "730",
		"-ext", "KU:critical=keyEncipherment", "-ext", "SAN=email:keys@issuer.example",
		"-keystore", "java.p12", "-storetype", "PKCS12", "-storepass", string(passphrase))
	java.run(
		"-exportcert", "-rfc", "-alias", "a", "-keystore", "java.p12", "-storepass", string(passphrase), "-file",
		"java.pem",
	)
	java.run(
		"-exportcert", "-alias", "a", "-keystore", "java.p12", "-storepass", string(passphrase), "-file", "java.cer",
	)
	f, err := keyfile.Parse(java.read("java.pem"))
	must(t, err)
	leaf := f.Certificates[0]
	if v := cert.Check(leaf, testcert.Policy(), leaf.NotBefore); v.Refused() || v.Warned() {
		t.Errorf("%v", testcert.NotOK(v))
	}
	der, err := keyfile.Parse(java.read("java.cer"))
	must(t, err)
	key, info, err := keyfile.ParsePrivate(java.read("java.p12"), passphrase)
	must(t, err)
	if !der.Certificates[0].Equal(leaf) || !info.Certificates[0].Equal(leaf) || !key.PublicKey.Equal(leaf.PublicKey) {
		t.Error("the files of keytool do not belong together")
	}
}

func TestCheckOfOtherKeys(t *testing.T) {
	ssl := peer(t, "openssl")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	made := map[string][]byte{"Ed25519": testcert.Issue(t, nil, nil, ed.Public(), ed).Raw}
	for name, args := range map[string][]string{
		"EC":      {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"RSA-PSS": {"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"},
		"RSA-PSS, bound": {
			"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256",
			"-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32",
		},
		"EC, unknown curve": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
	} {
		ssl.run(append([]string{"genpkey", "-out", "k.pem"}, args...)...)
		ssl.run("req", "-x509", "-key", "k.pem", "-out", "c.pem", "-days", "730",
			"-subj", "/O=Issuer Bank/OU=Key Team/CN=rdx",
			"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,keyEncipherment",
			"-addext", "subjectAltName=email:keys@issuer.example")
		b, _ := pem.Decode(ssl.read("c.pem"))
		made[name] = b.Bytes
	}
	for name, der := range made {
		f, err := keyfile.Parse(der)
		if name == "EC, unknown curve" { // crypto/x509 does not parse it
			wantError(t, err, "elliptic")
			notPrivate(t, err)
			continue
		}
		must(t, err)
		if f.PublicKey != nil {
			t.Errorf("%s: an RSA key", name)
		}
		leaf := f.Certificates[0]
		v := cert.Check(leaf, testcert.Policy(), leaf.NotBefore.AddDate(0, 0, 1))
		r := testcert.Finding(t, v, "key-type")
		kind, _, _ := strings.Cut(strings.Replace(name, "EC", "ECDSA", 1), ",")
		if r.Level != cert.Refused || len(v) != 16 || !strings.Contains(r.Found, kind) {
			t.Errorf("%s: %d rules, %+v", name, len(v), r)
		}
		if strings.HasPrefix(name, "RSA-PSS") && !strings.Contains(r.Remedy, "rsaEncryption") {
			t.Errorf("%s: %+v", name, r)
		}
		testcert.CheckAdvice(t, v)
		if table := cert.Fingerprints(der, leaf); len(table.Rows) == 0 {
			t.Errorf("%s: no checksum", name)
		}
	}
}
