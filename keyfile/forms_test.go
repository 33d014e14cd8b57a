package keyfile_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	encodingpem "encoding/pem"
	"fmt"
	"html"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// printed returns octets as programs print them.
func printed(octets []byte) map[string]string {
	signed, escaped := make([]string, len(octets)), new(strings.Builder)
	numbers := make([]int, len(octets))
	for i, b := range octets {
		signed[i], numbers[i] = fmt.Sprint(int8(b)), int(b)
		fmt.Fprintf(escaped, `\x%02x`, b)
	}
	lines := new(strings.Builder)
	for i, line := range slices.Collect(slices.Chunk(octets, 16)) {
		fmt.Fprintf(lines, "\t%04x\t% x   ................\r\n", 16*i, line)
	}
	buffer := must1(json.Marshal(map[string]any{"type": "Buffer", "data": numbers}))
	return map[string]string{
		"Java": "{" + strings.Join(signed, ", ") + "}", "Go": fmt.Sprint(octets), "Node": string(buffer),
		"Python": "b'" + escaped.String() + "'", "C": `"` + escaped.String() + `"`,
		"az":       `{"cer": "bytearray(b'` + strings.ReplaceAll(escaped.String(), `\`, `\\`) + `')"}`,
		"certutil": lines.String(),
	}
}

// linesOf returns the lines of PEM as strings of a language.
func linesOf(text, separator string) string {
	return `"` + strings.Join(strings.Split(strings.TrimSpace(text), "\n"), `"`+separator+`"`) + `"`
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

// latin1 writes each octet as a character.
func latin1(octets []byte) (text []byte) {
	for _, b := range octets {
		text = utf8.AppendRune(text, rune(b))
	}
	return text
}

// The certificate is read in what programs print of it and in what people put around it.
func TestParseOtherForms(t *testing.T) {
	c := testcert.Cert(t)
	text := string(cert.EncodePEM(c))
	body := strings.Split(strings.TrimSpace(text), "\n")
	inner := strings.Join(body[1:len(body)-1], "\n")
	openssl := peer(t, "openssl")
	openssl.write("c.pem", []byte(text))
	openssl.write("key", must1(keyfile.EncodePrivate(testcert.Key(), nil)))
	openssl.run("req", "-new", "-key", "key", "-subj", "/CN=x", "-out", "csr")
	files := map[string]string{
		"list of lines":            "{\"cert\": [\n  " + linesOf(text, ",\n  ") + "\n]}",
		"list in one line":         `{"cert": [` + linesOf(text, ",") + `]}`,
		"list without labels":      "{\"cert\": [\n  " + linesOf(inner, ",\n  ") + "\n]}",
		"Java":                     "String c = " + linesOf(text, " +\n    ") + ";",
		"Visual Basic":             "Dim c = " + linesOf(text, " & vbCrLf & _\n  "),
		"base64 in a letter":       "Here it is:\n\n" + inner + "\nRegards\n",
		"its request before it":    string(openssl.read("csr")) + text,
		"its request behind it":    text + string(openssl.read("csr")),
		"escaped XML":              html.EscapeString("<X>" + strings.ReplaceAll(inner, "\n", "") + "</X>"),
		"a mark of UTF-16, no NUL": "\xff\xfe" + text,
		"a mark and ASCII":         "\xfe\xff" + text,
		"a base64 of gzip":         base64.StdEncoding.EncodeToString(gzipped(t, []byte(text))),
	}
	for name, data := range printed(c.Raw) {
		files["printed by "+name] = data
	}
	for name, data := range files {
		f, err := keyfile.Parse([]byte(data))
		if err != nil || len(f.Certificates) == 0 || !f.Certificates[0].Equal(c) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Advice names the cause, and not what is right.
func TestParseAdviceOfOtherForms(t *testing.T) {
	one, two := testcert.Cert(t), must1(x509.ParseCertificate(report(t, "common/provider.cer")))
	b64 := base64.StdEncoding.EncodeToString
	pem := string(cert.EncodePEM(one))
	jwk := func(entry string) []byte {
		key := map[string]any{}
		must(t, json.Unmarshal(must1(keyfile.EncodeJWK(one.PublicKey.(*rsa.PublicKey), keyfile.JWKParams{})), &key))
		key["x5c"] = []string{entry}
		return must1(json.Marshal(key))
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"two in a map of JSON": {must1(json.Marshal(map[string]string{"a": pem, "b": string(cert.EncodePEM(two))})),
			"2 certificates of end entities"},
		"two in XML": {
			[]byte("<a><X>" + b64(one.Raw) + "</X><X>" + b64(two.Raw) + "</X></a>"), "2 certificates of end",
		},
		"two in DER":   {slices.Concat(one.Raw, two.Raw), "2 certificates of end entities"},
		"x5c of PEM":   {jwk(b64([]byte(pem))), "is the base64 of PEM"},
		"JSON, no JWK": {[]byte(`{"error":"not_found"}`), "the JSON has no certificate"},
		"Git LFS":      {[]byte("version https://git-lfs.github.com/spec/v1\noid\n"), "a pointer of Git"},
		"printed":      {[]byte("Certificate:\n    Data:\n        Version: 3\n"), "what a program prints"},
		"keytool":      {[]byte("Owner: CN=a\nIssuer: CN=a\n"), "what a program prints"},
		"web shortcut": {
			[]byte("<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>URL</key>"), "a shortcut to a web",
		},
		"DER, as UTF-8":        {[]byte(strings.ToValidUTF8(string(one.Raw), "\ufffd")), "it was DER"},
		"an SSH key of a host": {[]byte("a.example ssh-rsa AAAAB3NzaC1yc2E x"), "a public key of SSH"},
	} {
		_, err := keyfile.Parse(c.data)
		wantError(t, err, c.says)
		if strings.Contains(fmt.Sprint(err), "current software") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Private keys are found in the same forms.
func TestPrivateKeysInOtherForms(t *testing.T) {
	key := testcert.Key()
	sum := sumOf(key)
	pem := string(cert.EncodePEM(testcert.Cert(t)))
	plain := string(must1(keyfile.EncodePrivate(key, nil)))
	pkcs8 := must1(x509.MarshalPKCS8PrivateKey(key))
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	xml := "<RSAKeyValue><D>" + base64.StdEncoding.EncodeToString(key.D.Bytes()) + "</D></RSAKeyValue>"
	openssh := strings.Split(
		strings.TrimSpace(string(encodingpem.EncodeToMemory(must1(ssh.MarshalPrivateKey(key, ""))))), "\n")
	files := map[string]struct{ text, sum string }{
		"UTF-16 behind UTF-8":   {string(utf16With(binary.LittleEndian, []byte("\r\n"+plain))), sum},
		"OpenSSH without lines": {strings.Join(openssh[1:len(openssh)-1], "\n"), sum},
		"gzip in base64":        {base64.StdEncoding.EncodeToString(gzipped(t, []byte(plain))), sum},
		"list of lines":         {"[\n" + linesOf(plain, ",\n") + "\n]", sum},
		"as UTF-8":              {string(latin1(pkcs8)), sum},
		"JWK of Python":         {fmt.Sprintf("{'kty': 'RSA', 'd': '%s'}", number(key.D)), ""},
		"JWK of JavaScript":     {fmt.Sprintf("{kty: \"RSA\", d: \"%s\"}", number(key.D)), ""},
		"JWK of YAML":           {fmt.Sprintf("kty: RSA\nd: %s\n", number(key.D)), ""},
		"escaped XML":           {html.EscapeString(xml), ""},
		"python-rsa":            {fmt.Sprintf("PrivateKey(%d, 65537, %d, %d)", key.N, key.D, key.Primes[0]), ""},
		"cryptography":          {fmt.Sprintf("RSAPrivateNumbers(p=%d, d=%d)", key.Primes[0], key.D), ""},
	}
	for name, data := range printed(pkcs8) {
		files["printed by "+name] = struct{ text, sum string }{data, sum}
	}
	for name, f := range files {
		texts := []string{f.text}
		if name != "as UTF-8" && name != "gzip in base64" { // which are so alone
			texts = append(texts, pem+"\n"+f.text+"\n")
		}
		for _, text := range texts {
			if got := keysOf([]byte(text)); !slices.Contains(got, f.sum) {
				t.Errorf("%s: %q", name, got)
			}
			_, err := keyfile.Parse([]byte(text))
			if err == nil || bytes.Contains([]byte(err.Error()), []byte(plain[100:140])) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	public := fmt.Sprintf("{'kty': 'RSA', 'n': '%s', 'e': 'AQAB'}\nkty: RSA\nn: %s\n", number(key.N), number(key.N))
	letter := "Our JWK has a kty and d: see the specification at https://example.org/a/very/long/path/of/a/page\n"
	for _, text := range []string{public, letter, "PrivateKey(1, 2, 3)", fmt.Sprintf("RsaKey(n=%d, e=65537)", key.N)} {
		if got := keysOf([]byte(text)); len(got) > 0 {
			t.Errorf("%.60q: %q", text, got)
		}
	}
}
