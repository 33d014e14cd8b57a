package keyfile_test

import (
	"bytes"
	"compress/zlib"
	"crypto/x509"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// inLines breaks text into lines.
func inLines(text string, length int) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for line := range slices.Chunk([]byte(text), length) {
			if !yield(string(line)) {
				return
			}
		}
	}), "\n")
}

// swapped is what hexdump and od -x print on a little-endian machine.
func swapped(octets []byte) string {
	var out strings.Builder
	for at := 0; at < len(octets); at += 16 {
		fmt.Fprintf(&out, "%07x", at)
		for i := at; i < min(at+16, len(octets)); i += 2 {
			high := byte(0)
			if i+1 < len(octets) {
				high = octets[i+1]
			}
			fmt.Fprintf(&out, " %02x%02x", high, octets[i])
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "%07x\n", len(octets))
	return out.String()
}

// pdf is a document with one compressed stream.
func pdf(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := z.Write([]byte(content))
	must(t, err)
	must(t, z.Close())
	return fmt.Sprintf("%%PDF-1.7\n1 0 obj\n<</Length %d/Filter/FlateDecode>>\nstream\r\n%s\r\nendstream\nendobj\n"+
		"2 0 obj\n<</Length 3>>\nstream\nabc\nendstream\nendobj\n%%%%EOF\n", b.Len(), b.String())
}

// shown is how a page of a PDF shows lines.
func shown(text string) string {
	return "BT /F1 9 Tf 14 TL 40 800 Td\n(" +
		strings.ReplaceAll(strings.TrimSpace(text), "\n", ") Tj T*\n(") + ") Tj\nET\n"
}

// Private keys are found in encodings that are rare, and in those that a tool has damaged.
func TestPrivateKeysInRareForms(t *testing.T) {
	key := testcert.Key()
	sum := sumOf(key)
	plain := string(must1(keyfile.EncodePrivate(key, nil)))
	pkcs8 := must1(x509.MarshalPKCS8PrivateKey(key))
	b32 := base32.StdEncoding.WithPadding(base32.NoPadding)
	b64 := base64.StdEncoding.EncodeToString(pkcs8)
	a85 := make([]byte, ascii85.MaxEncodedLen(len(pkcs8)))
	a85 = a85[:ascii85.Encode(a85, pkcs8)]
	decimal := strings.Trim(fmt.Sprint(pkcs8), "[]")
	certificate := string(cert.EncodePEM(testcert.Cert(t)))
	split := func(text, with string) string {
		var out strings.Builder
		for piece := range slices.Chunk([]byte(text), 50) {
			out.Write(piece)
			out.WriteString(with)
		}
		return out.String()
	}
	store := must1(keyfile.EncodePKCS12(key, []*x509.Certificate{testcert.Cert(t)}, []byte("passphrase of twenty")))
	files := map[string]struct{ text, sum string }{
		"base32":                       {base32.StdEncoding.EncodeToString(pkcs8), sum},
		"base32 in lines":              {inLines(base32.StdEncoding.EncodeToString(pkcs8), 72), sum},
		"base32, unpadded, small":      {strings.ToLower(b32.EncodeToString(pkcs8)), sum},
		"base32 of PEM":                {base32.StdEncoding.EncodeToString([]byte(plain)), sum},
		"ascii85":                      {"<~" + string(a85) + "~>", sum},
		"ascii85 in lines":             {"<~" + inLines(string(a85), 75) + "~>", sum},
		"ascii85 without its marks":    {"key: " + string(a85), sum},
		"decimal, in lines":            {strings.ReplaceAll(decimal, " ", "\r\n") + "\r\n", sum},
		"decimal, cut":                 {"[" + decimal[:len(decimal)-20], ""},
		"decimal, not closed":          {"key = [" + strings.ReplaceAll(decimal, " ", ", "), sum},
		"decimal, behind a word":       {"key: " + strings.ReplaceAll(decimal, " ", ","), sum},
		"decimal, cast":                {"{(byte)" + strings.ReplaceAll(decimal, " ", ", (byte)") + "}", sum},
		"hexdump":                      {swapped(pkcs8), sum},
		"hexdump of PEM":               {swapped([]byte(plain)), sum},
		"zero-width spaces in base64":  {split(b64, "\u200b"), sum},
		"soft hyphens in base64":       {split(b64, "\u00ad"), sum},
		"word joiners in PEM":          {strings.ReplaceAll(plain, "A", "A\u2060"), sum},
		"zero-width spaces, in a page": {"<p>" + split(b64, "&#8203;") + "</p>", sum},
		"no-break spaces in hex":       {strings.ReplaceAll(fmt.Sprintf("% x", pkcs8), " ", "\u00a0"), sum},
		"PDF with PEM":                 {pdf(t, plain), sum},
		"PDF with DER":                 {pdf(t, string(pkcs8)), sum},
		"PDF with a page":              {pdf(t, shown(plain)), sum},
		"PDF with a page of base64":    {pdf(t, shown(inLines(b64, 60))), sum},
		"PKCS#12, LF as CRLF":          {strings.ReplaceAll(string(store), "\n", "\r\n"), ""},
		"PKCS#12, CR lost":             {strings.ReplaceAll(string(store), "\r", ""), ""},
		"PKCS#8, LF as CRLF":           {strings.ReplaceAll(string(pkcs8), "\n", "\r\n"), sum},
	}
	for name, f := range files {
		texts := []string{f.text}
		if !strings.HasPrefix(name, "P") {
			texts = append(texts, certificate+"\n"+f.text+"\n")
		}
		for _, text := range texts {
			got := keysOf([]byte(text))
			if !slices.Contains(got, f.sum) && !(f.sum == "" && len(got) > 0) {
				t.Errorf("%s: %q", name, got)
			}
			if _, err := keyfile.Parse([]byte(text)); err == nil {
				t.Errorf("%s is read", name)
			}
		}
	}
}

// Public files in the same forms, and texts that resemble them, alarm nobody.
func TestRareFormsWithoutKeys(t *testing.T) {
	c := testcert.Cert(t)
	text := string(cert.EncodePEM(c))
	a85 := make([]byte, ascii85.MaxEncodedLen(len(c.Raw)))
	a85 = a85[:ascii85.Encode(a85, c.Raw)]
	var numbers strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&numbers, "%d\n", i%256)
	}
	for name, data := range map[string]string{
		"base32":        base32.StdEncoding.EncodeToString(c.Raw),
		"ascii85":       "<~" + string(a85) + "~>",
		"decimal":       strings.ReplaceAll(fmt.Sprint(c.Raw), " ", "\n"),
		"hexdump":       swapped(c.Raw),
		"PDF":           pdf(t, text),
		"PDF, a page":   pdf(t, shown(text)),
		"a measurement": numbers.String(),
		"capitals":      strings.Repeat("THEQUICKBROWNFOXJUMPSOVERTHELAZYDOG", 40),
		"a rule":        strings.Repeat("=-", 500) + "\n" + strings.Repeat("0", 500),
	} {
		if got := keysOf([]byte(data)); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// decorated returns what programs put around each line of a text.
func decorated(text string) map[string]string {
	all := map[string]string{}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for name, form := range map[string]func(i int, line string) string{
		"diff":    func(_ int, l string) string { return "+" + l },
		"removed": func(_ int, l string) string { return "-" + l },
		"cat -n":  func(i int, l string) string { return fmt.Sprintf("%6d\t%s", i+1, l) },
		"cat -A":  func(_ int, l string) string { return l + "$" },
		"vim":     func(i int, l string) string { return fmt.Sprintf("%3d %s\r", i+1, l) },
		"grep":    func(i int, l string) string { return fmt.Sprintf("a.pem:%d:%s", i+1, l) },
		"docker":  func(i int, l string) string { return fmt.Sprintf("2026-12-01T07:00:%02dZ %s", i, l) },
		"compose": func(_ int, l string) string { return "app-1  | " + l },
		"latin-1": func(_ int, l string) string { return "Schl\xfcssel: " + l + " \xab" },
		"syslog":  func(_ int, l string) string { return "Dec  1 07:00:00 host app[123]: " + l },
		"table":   func(_ int, l string) string { return "| " + l + " |" },
		"shell":   func(_ int, l string) string { return "# " + l },
		"C":       func(_ int, l string) string { return " * " + l },
		"SQL":     func(_ int, l string) string { return "-- " + l },
		"echo":    func(_ int, l string) string { return `echo "` + l + `" >> a.pem` },
	} {
		out := make([]string, len(lines))
		for i, line := range lines {
			out[i] = form(i, line)
		}
		all[name] = "what follows is a file\n" + strings.Join(out, "\n") + "\nand that was all\n"
	}
	for _, sign := range []string{",", ";", "|", "#", "_"} {
		all["line ends as "+sign] = strings.ReplaceAll(text, "\n", sign)
	}
	return all
}

// What programs put around the lines hides neither a certificate nor whose private key it is.
func TestDecoratedLines(t *testing.T) {
	key, c := testcert.Key(), testcert.Cert(t)
	for name, text := range decorated(string(must1(keyfile.EncodePrivate(key, nil)))) {
		if got := keysOf([]byte(text)); !slices.Equal(got, []string{sumOf(key)}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, text := range decorated(string(cert.EncodePEM(c))) {
		f, err := keyfile.Parse([]byte(text))
		if err != nil || !f.Certificates[0].Equal(c) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every kind of private key is found in every alphabet of base85.
func TestPrivateKeysInBase85(t *testing.T) {
	key := testcert.Key()
	alphabets := map[string]string{
		"RFC 1924": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
		"ZeroMQ":   "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
	}
	encrypted := must1(keyfile.EncodePrivate(key, []byte("passphrase of twenty")))
	block, _ := pem.Decode(encrypted)
	for kind, octets := range map[string][]byte{
		"PKCS#1":           x509.MarshalPKCS1PrivateKey(key),
		"PKCS#8":           must1(x509.MarshalPKCS8PrivateKey(key)),
		"encrypted PKCS#8": block.Bytes,
		"PEM":              encrypted,
		"PKCS#12": must1(keyfile.EncodePKCS12(key, []*x509.Certificate{testcert.Cert(t)},
			[]byte("passphrase of twenty"))),
	} {
		text := make([]byte, ascii85.MaxEncodedLen(len(octets)))
		text = text[:ascii85.Encode(text, octets)]
		texts := map[string]string{"Adobe": string(text)}
		for name, alphabet := range alphabets {
			digits := bytes.ReplaceAll(text, []byte("z"), []byte("!!!!!"))
			for i, c := range digits {
				digits[i] = alphabet[c-'!']
			}
			texts[name] = string(digits)
		}
		for name, text := range texts {
			for _, text := range []string{text, inLines(text, 60), inLines(text, 76) + "\n"} {
				if len(keyfile.FindPrivateKeys([]byte(text))) == 0 {
					t.Errorf("%s in the alphabet of %s is not found", kind, name)
				}
			}
		}
	}
}
