package keyfile_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func report(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/reports/" + name)
	must(t, err)
	return data
}

// Files that people have sent and programs have written hold one certificate.
func TestParseReports(t *testing.T) {
	const acme, customer = "keys.acme.example", "customer.example"
	for name, want := range map[string]string{
		"12-outlook-msg/certificate.msg":                  acme,
		"12-outlook-msg/msg-in-mail.eml":                  acme,
		"13-zip/certificate.zip":                          customer,
		"13-zip/certificate.cer.gz":                       customer,
		"13-zip/zip-in-mail.eml":                          customer,
		"14-eml-as-octet-stream/forwarded.eml":            customer,
		"16-mail-cr-only/cr-only.eml":                     customer,
		"17-pem-in-html-mail/html-only.eml":               customer,
		"17-pem-in-html-mail/html-outlook.eml":            customer,
		"19-uuencode/certificate.eml":                     customer,
		"21-leaf-and-issuers-apart/leaf-and-root.eml":     acme,
		"21-leaf-and-issuers-apart/three-files.eml":       acme,
		"22-logos-and-business-card/logos.eml":            customer,
		"24-pem-literal-backslash-n/certificate.json":     acme,
		"24-pem-literal-backslash-n/certificate.pem":      acme,
		"24-pem-literal-backslash-n/env.txt":              acme,
		"25-pem-begin-missing/base64-unpadded.cer":        acme,
		"25-pem-begin-missing/no-begin.pem":               acme,
		"25-pem-begin-missing/x509certificate.xml":        acme,
		"27-email-in-subject-as-hex/email-in-subject.cer": acme,
		"28-chain-cross-signed/missing-intermediate.pem":  acme,
		"28-chain-cross-signed/refused.pem":               acme,
		"28-chain-cross-signed/refused-2.pem":             acme,
		"28-chain-cross-signed/taken.pem":                 acme,
		"30-pkipath/jdk.pkipath":                          acme,
		"54-secret-of-kubernetes/secret.yaml":             customer,
		"54-secret-of-kubernetes/twice.txt":               customer,
		"55-lines-and-hyphens/blanks.pem":                 customer,
		"55-lines-and-hyphens/four.pem":                   customer,
		"55-lines-and-hyphens/four-at-end.pem":            customer,
		"55-lines-and-hyphens/six.pem":                    customer,
		"56-attributes-in-pem/bag.pem":                    customer,
		"56-attributes-in-pem/header.pem":                 customer,
		"57-one-line-with-blanks/certificate.yaml":        customer,
	} {
		f, err := keyfile.Parse(report(t, name))
		if err != nil || f.Certificates[0].Subject.CommonName != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// DER that a program has changed as if it were text is said to be that.
func TestConvertedDER(t *testing.T) {
	for _, name := range []string{"question-marks.cer", "capitals.cer", "utf-8.cer"} {
		_, err := keyfile.Parse(report(t, "53-der-as-ansi/"+name))
		wantError(t, err, "it was DER, and a program has converted it")
	}
	const upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"
	windows := []rune(upper)
	var text strings.Builder
	for _, octet := range must1(x509.MarshalPKCS8PrivateKey(testcert.Key())) {
		if octet >= 0x80 && octet < 0xa0 {
			text.WriteRune(windows[octet-0x80])
		} else {
			text.WriteRune(rune(octet))
		}
	}
	if got := keysOf([]byte(text.String())); !slices.Equal(got, []string{sumOf(testcert.Key())}) {
		t.Errorf("a private key that was read as Windows-1252: %q", got)
	}
}

// The order in which certificates stand decides nothing.
func TestChainInAnyOrder(t *testing.T) {
	one, err := keyfile.Parse(report(t, "28-chain-cross-signed/refused.pem"))
	must(t, err)
	two, err := keyfile.Parse(report(t, "28-chain-cross-signed/taken.pem"))
	must(t, err)
	if !slices.EqualFunc(one.Certificates, two.Certificates, (*x509.Certificate).Equal) ||
		len(one.Certificates) != 3 ||
		!slices.EqualFunc(one.Unused, two.Unused, (*x509.Certificate).Equal) {
		t.Errorf("%d and %d in the chain, %d and %d not", len(one.Certificates), len(two.Certificates),
			len(one.Unused), len(two.Unused))
	}
	apart, err := keyfile.Parse(report(t, "21-leaf-and-issuers-apart/three-files.eml"))
	must(t, err)
	if len(apart.Certificates) != 3 || apart.Format != keyfile.FormatDER {
		t.Errorf("%d of three files, %s", len(apart.Certificates), apart.Format)
	}
}

// Private keys in them are found, with their owner where the file shows it.
func TestPrivateKeysInReports(t *testing.T) {
	const customer = "aeffd85682ffcc253b63347ab2615cae1cc61ba35dabb9a0afcc87a7679fbce0"
	for name, want := range map[string]string{
		"13-zip/zip-with-private-key.eml":                 customer,
		"16-mail-cr-only/cr-only-with-private-key.eml":    customer,
		"19-uuencode/private-key.eml":                     customer,
		"24-pem-literal-backslash-n/private.pem":          customer,
		"24-pem-literal-backslash-n/service-account.json": customer,
		"54-secret-of-kubernetes/with-key.yaml":           customer,
		"54-secret-of-kubernetes/key-twice.txt":           customer,
		"57-one-line-with-blanks/key.yaml":                customer,
		"31-bks-key-store/store.bks":                      "",
		"32-pkcs12-ber/bc.p12":                            "",
		"32-pkcs12-ber/nss.p12":                           "",
	} {
		if got := owner(leakOf(t, report(t, name)).Leak); got != want {
			t.Errorf("%s: %q", name, got)
		}
		if got := keysOf(report(t, name)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Our own key may be in BER, which Bouncy Castle and NSS write, and its passphrase in a file
// that an editor of Windows has written.
func TestParsePrivateReports(t *testing.T) {
	utf16 := report(t, "34-passphrase-file-of-windows/pw-utf16.txt")
	for name, passphrase := range map[string][]byte{
		"32-pkcs12-ber/bc.p12":                   []byte("changeit"),
		"32-pkcs12-ber/bc-aes.p12":               []byte("changeit"),
		"32-pkcs12-ber/nss.p12":                  []byte("changeit"),
		"34-passphrase-file-of-windows/key.p12":  utf16,
		"24-pem-literal-backslash-n/private.pem": nil,
	} {
		if _, _, err := keyfile.ParsePrivate(report(t, name), passphrase); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err := keyfile.ParsePrivate(report(t, "32-pkcs12-ber/bc.p12"), []byte("wrong"))
	if !errors.Is(err, keyfile.ErrPassphraseWrong) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	damaged := report(t, "32-pkcs12-ber/bc.p12")
	damaged[900] ^= 1
	if _, _, err := keyfile.ParsePrivate(damaged, []byte("changeit")); !errors.Is(err, keyfile.ErrPassphraseWrong) {
		t.Errorf("another content under the MAC: %v", err)
	}
	_, _, err = keyfile.ParsePrivate(report(t, "31-bks-key-store/store.bks"), nil)
	wantError(t, err, "Bouncy Castle", "PKCS#12")
}

// What is no certificate is named, and what to do with it.
func TestOtherFilesAreNamed(t *testing.T) {
	der := testcert.Cert(t).Raw
	for _, c := range map[string]struct {
		data []byte
		says []string
	}{
		"PDF":      {[]byte("%PDF-1.7\n"), []string{"a PDF document", "as a file of its own"}},
		"image":    {[]byte("\x89PNG\r\n\x1a\n"), []string{"an image"}},
		"page":     {[]byte("<!DOCTYPE html><p>Access denied"), []string{"an HTML page"}},
		"7z":       {[]byte("7z\xbc\xaf\x27\x1c"), []string{"a 7z archive", "unpack it"}},
		"shortcut": {[]byte("L\x00\x00\x00\x01\x14\x02\x00"), []string{"a shortcut of Windows"}},
		"SSH":      {[]byte("ssh-rsa AAAAB3NzaC1yc2E x"), []string{"a public key of SSH"}},
		"token":    {[]byte("eyJhbGciOiJub25lIn0.e30.AAAA"), []string{"a token"}},
		"END alone": {[]byte("MIIC\n-----END CERTIFICATE-----\n"),
			[]string{"a line with END and none with BEGIN"}},
		"empty ZIP": {[]byte("PK\x05\x06" + strings.Repeat("\x00", 18)), []string{"a ZIP archive",
			"no certificate in it"}},
		"damaged ZIP":   {[]byte("PK\x03\x04"), []string{"a ZIP archive", "damaged"}},
		"DER in Python": {[]byte("b'\\x30\\x82" + hex.EncodeToString(der[:100]) + "'"), []string{"not PEM"}},
	} {
		_, err := keyfile.Parse(c.data)
		wantError(t, err, c.says...)
		notPrivate(t, err)
	}
}

// The certificate in text that programs and people make of it.
func TestParseMangledText(t *testing.T) {
	c := testcert.Cert(t)
	text := string(cert.EncodePEM(c))
	b64 := base64.StdEncoding.EncodeToString(c.Raw)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	form := url.Values{"certificate": {text}}.Encode()
	page := new(strings.Builder)
	must(t, xml.EscapeText(page, []byte(text)))
	for name, data := range map[string]string{
		"quoted":            "> " + strings.ReplaceAll(text, "\n", "\n> "),
		"JSON in JSON":      fmt.Sprintf("%q", fmt.Sprintf(`{"c":%q}`, text)),
		"YAML":              "cert: |\n  " + strings.ReplaceAll(text, "\n", "\n  "),
		"form":              form,
		"path":              url.PathEscape(text),
		"page":              "<pre>" + strings.ReplaceAll(page.String(), "&#xA;", "<br/>") + "</pre>",
		"quoted-printable":  strings.ReplaceAll(text, "=", "=3D") + "=3D=\n",
		"en dashes":         strings.ReplaceAll(text, "-", "–"),
		"em dashes":         strings.ReplaceAll(text, "--", "—"),
		"no-break spaces":   strings.ReplaceAll(text, " ", "\u00a0"),
		"zero-width spaces": strings.ReplaceAll(text, "\n", "\u200b\n"),
		"no END":            strings.Join(lines[:len(lines)-1], "\n"),
		"no BEGIN":          strings.Join(lines[1:], "\n"),
		"CR alone":          strings.ReplaceAll(text, "\n", "\r"),
		"unpadded":          strings.TrimRight(b64, "="),
		"data URL":          "data:application/pkix-cert;base64," + b64,
		"x5c":               `{"keys":[{"use":"enc","x5c":["` + b64 + `"]}]}`,
		"kubeconfig":        "certificate-authority-data: " + base64.StdEncoding.EncodeToString([]byte(text)) + "\n",
		"properties":        "partner.certificate=" + b64 + "\n",
		"Python":            "b'" + strings.ReplaceAll(text, "\n", `\n`) + "'",
	} {
		f, err := keyfile.Parse([]byte(data))
		if err != nil || !f.Certificates[0].Equal(c) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A private key is found in the values of settings, lists, forms, hexadecimal and what tools print.
func TestPrivateKeysInSettings(t *testing.T) {
	key := testcert.Key()
	sum := sumOf(key)
	plain := string(must1(keyfile.EncodePrivate(key, nil)))
	b64 := base64.StdEncoding.EncodeToString(must1(x509.MarshalPKCS8PrivateKey(key)))
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	certificate := string(cert.EncodePEM(testcert.Cert(t)))
	number := func(n *big.Int) string { return base64.StdEncoding.EncodeToString(n.Bytes()) }
	colons := strings.TrimSpace(strings.ReplaceAll(fmt.Sprintf("% x", key.D.Bytes()), " ", ":"))
	for name, c := range map[string]struct{ text, sum string }{
		"NAME=":           {"PRIVATE_KEY=" + b64, sum},
		"NAME= of PEM":    {"KEY=" + base64.StdEncoding.EncodeToString([]byte(plain)), sum},
		"NAME_=":          {"RSA-KEY_=" + b64, sum},
		"list":            {"-" + b64, sum},
		"list of PEM":     {"-" + base64.StdEncoding.EncodeToString([]byte(plain)), sum},
		"underscore":      {"key_" + b64, sum},
		"base64 of NAME=": {base64.StdEncoding.EncodeToString([]byte("PRIVATE_KEY=" + b64)), sum},
		"unpadded":        {"k=" + strings.TrimRight(b64, "="), sum},
		"base64url":       {"k=" + base64.RawURLEncoding.EncodeToString(pkcs1), sum},
		"form":            {"k=" + url.QueryEscape(plain), sum},
		"path":            {"k=" + url.PathEscape(plain), sum},
		"CR alone":        {strings.ReplaceAll(plain, "\n", "\r"), sum},
		"hexadecimal":     {hex.EncodeToString(pkcs1), sum},
		"hexadecimal, 0x": {"0x" + hex.EncodeToString(pkcs1), sum},
		"octets":          {fmt.Sprintf("% X", pkcs1), sum},
		"C":               {strings.ReplaceAll(fmt.Sprintf("{ 0x% x }", pkcs1), " ", ", 0x"), sum},
		"XML with prefix": {"<ds:RSAKeyValue><ds:D>" + number(key.D) + "</ds:D></ds:RSAKeyValue>", ""},
		"Java": {fmt.Sprintf("modulus: %d\n  public exponent: 65537\n  private exponent: %d\n", key.N,
			key.D), sum},
		"openssl": {fmt.Sprintf("modulus:\n    00:%s\npublicExponent: 65537 (0x10001)\nprivateExponent:\n    %s\n",
			strings.ReplaceAll(fmt.Sprintf("% x", key.N.Bytes()), " ", ":"), colons), sum},
		"DNSSEC":           {"Private-key-format: v1.3\nPrivateExponent: " + number(key.D) + "\n", ""},
		"age":              {"AGE-SECRET-KEY-1QQPQZ", ""},
		"SSH2":             {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", ""},
		"in a JSON string": {fmt.Sprintf("{%q:%q}", "k", plain), sum},
	} {
		for _, text := range []string{c.text, certificate + "\n" + c.text + "\n"} {
			if got := keysOf([]byte(text)); !slices.Equal(got, []string{c.sum}) {
				t.Errorf("%s: %q", name, got)
			}
			var leak *keyfile.PrivateKeyError
			if _, err := keyfile.Parse([]byte(text)); !errors.As(err, &leak) {
				t.Errorf("%s is read: %v", name, err)
			}
		}
	}
}

// openssl's own print of a key is an alarm that names it.
func TestPrintedByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	c := exec.Command("openssl", "rsa", "-text", "-noout")
	c.Stdin = bytes.NewReader(must1(keyfile.EncodePrivate(testcert.Key(), nil)))
	out, err := c.Output()
	must(t, err)
	if got := keysOf(out); !slices.Equal(got, []string{sumOf(testcert.Key())}) {
		t.Errorf("%q", got)
	}
}

// Letters about keys, and hexadecimal that is none, alarm nobody.
func TestNoFalseAlarm(t *testing.T) {
	certificate := string(cert.EncodePEM(testcert.Cert(t)))
	for name, text := range map[string]string{
		"words":       "Keep the private exponent secret. private exponent: never send it\n",
		"certificate": hex.EncodeToString(testcert.Cert(t).Raw),
		"zeros":       strings.Repeat("00", 4000),
		"checksums": strings.Repeat("185bc94fc02d25f6de874bc5b12ea5506cb84287144851b44e8f55ae90ff16d9  a.cer\n",
			50),
		"base64 names": "PUBLIC_KEY=" + base64.StdEncoding.EncodeToString(testcert.Cert(t).Raw),
	} {
		for _, data := range []string{text, certificate + text} {
			if got := keysOf([]byte(data)); len(got) > 0 {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

// The time of a search grows with the file and not much faster.
func TestSearchIsLinear(t *testing.T) {
	const size = 1 << 20
	for name, piece := range map[string]string{
		"quotes": ">", "pipes": "|", "quoted heads": ">MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "equals": "=M",
		"lists": "-MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n", "hex": "30820122 ", "percent": "%2B", "tags": "<b>",
		"escapes": `\\n`, "open tags": "<", "comments": "<!--", "quoted-printable": "=3D",
		"exponents": "private exponent: ",
		"words":     "the quick brown fox jumps over the lazy dog\n", "begin": "begin 644 a\n",
		"typographic": "BEGIN –",
		"colons":      "a:b\n",
		"decimals":    "[48,130,", "base32": "GCBAJIJYBAAQGAJQ\n", "one line of base32": "GCBAJIJY",
		"ascii85": "0g+_1!<~\n", "casts": "(byte)", "invisible": "M\u200b", "PDF": "%PDF- stream\nx\x9c\xcb",
		"strings of a PDF": "((",
		"decorated":        "x-----BEGIN A-----\n", "endless blocks": "1 -----BEGIN A-----\n2 AAAA\n",
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Repeat([]byte(piece), size/len(piece))
			linear(t, data, func(data []byte) { keyfile.FindPrivateKeys(data) })
		})
	}
}

// A key in the form of another program comes with the way to convert it.
func TestForeignPrivateKeys(t *testing.T) {
	key := testcert.Key()
	plain := must1(keyfile.EncodePrivate(key, nil))
	for says, data := range map[string][]byte{
		"-inform MSBLOB": privateBlob(key, 0xa4),
		"-inform PVK":    slices.Concat([]byte{0x1e, 0xf1, 0xb5, 0xb0}, make([]byte, 20), privateBlob(key, 0x24)),
		"puttygen":       []byte("PuTTY-User-Key-File-3: ssh-rsa\n"),
		"printed":        fmt.Appendf(nil, "privateExponent:\n    %x\n", key.D),
		"an HTML page":   []byte("<!DOCTYPE html><p>Sign in"),
	} {
		_, _, err := keyfile.ParsePrivate(data, nil)
		wantError(t, err, says)
	}
	for name, data := range map[string][]byte{
		"in base64":    []byte(base64.StdEncoding.EncodeToString(plain)),
		"in JSON":      fmt.Appendf(nil, "{%q:%q}", "private_key", plain),
		"in a setting": []byte("KEY=\"" + strings.ReplaceAll(string(plain), "\n", `\n`) + "\""),
		"quoted":       []byte("> " + strings.ReplaceAll(string(plain), "\n", "\n> ")),
	} {
		if got, _, err := keyfile.ParsePrivate(data, nil); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	chain := []*x509.Certificate{testcert.Cert(t)}
	store, err := keyfile.EncodePKCS12(key, chain, []byte("ein langes Paßwort"))
	must(t, err)
	if _, _, err := keyfile.ParsePrivate(store, []byte("ein langes Pa\xdfwort")); err != nil {
		t.Errorf("a passphrase in Latin-1: %v", err)
	}
}
