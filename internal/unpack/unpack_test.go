package unpack_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/unpack"
)

func report(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/reports/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func names(f *unpack.File) (found []string) {
	for _, p := range f.Parts {
		found = append(found, p.Name)
	}
	return found
}

// Each file holds the certificate of the customer, in DER or in text.
func TestOpen(t *testing.T) {
	der, pem := report(t, "common/customer.cer"), report(t, "common/customer.pem")
	pem = bytes.TrimSpace(pem)
	zipped := zipOf(map[string][]byte{"folder/acme.cer": der})
	for name, c := range map[string]struct {
		data  []byte
		names []string
	}{
		"alone":           {der, []string{""}},
		"msg":             {report(t, "12-outlook-msg/certificate.msg"), []string{"", "acme.cer"}},
		"msg in a mail":   {report(t, "12-outlook-msg/msg-in-mail.eml"), []string{"", "", "acme.cer"}},
		"zip":             {zipped, []string{"acme.cer"}},
		"zip in a zip":    {zipOf(map[string][]byte{"a.zip": zipped}), []string{"acme.cer"}},
		"gzip":            {gzipOf(der), []string{""}},
		"tar.gz":          {gzipOf(tarOf("acme.cer", der)), []string{"acme.cer"}},
		"forwarded":       {report(t, "14-eml-as-octet-stream/forwarded.eml"), nil},
		"CR alone":        {report(t, "16-mail-cr-only/cr-only.eml"), nil},
		"uuencoded":       {report(t, "19-uuencode/certificate.eml"), []string{"", "acme.cer"}},
		"of Apple Mail":   {appleMail(report(t, "14-eml-as-octet-stream/forwarded.eml")), nil},
		"a mailbox":       {mailbox(report(t, "14-eml-as-octet-stream/forwarded.eml")), nil},
		"TNEF":            {tnef("acme.cer", der), []string{"acme.cer"}},
		"TNEF in TNEF":    {tnefIn(tnef("acme.cer", der)), []string{"acme.cer"}},
		"ZIP by bzip2":    {report(t, "../../internal/unpack/testdata/bzip2.zip"), []string{"acme.cer"}},
		"base64 of ZIP":   {[]byte(base64.StdEncoding.EncodeToString(zipped) + "\n"), []string{"", "acme.cer"}},
		"names of a path": {zipOf(map[string][]byte{`C:\a\b.cer`: der}), []string{"b.cer"}},
	} {
		f := unpack.Open(c.data, nil)
		if !slices.ContainsFunc(f.Parts, func(p unpack.Part) bool {
			text, _ := unpack.Text(p.Data)
			return strings.Contains(name, "msg") || bytes.Equal(p.Data, der) || bytes.Contains(text, pem)
		}) {
			t.Errorf("%s: %q %v", name, names(f), f.Troubles)
		}
		if c.names != nil && !slices.Equal(names(f), c.names) {
			t.Errorf("%s: %q", name, names(f))
		}
		if f.Holds() != (name != "alone") || f.Incomplete {
			t.Errorf("%s: %t, incomplete %t", name, f.Holds(), f.Incomplete)
		}
	}
}

func zipOf(files map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w, _ := z.Create(name)
		w.Write(data)
	}
	z.Close()
	return b.Bytes()
}

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func tarOf(name string, data []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600})
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func appleMail(mail []byte) []byte {
	return append(
		fmt.Appendf(nil, "%d       \n", len(mail)),
		append(mail, "<?xml version=\"1.0\"?><plist></plist>"...)...)
}

func mailbox(mail []byte) []byte {
	line := "From a@b.example Sun Nov 29 10:00:00 2026\n"
	return slices.Concat([]byte(line+"Subject: x\nFrom: a@b.example\n\nHello\n\n"+line), mail)
}

func tnef(name string, data []byte) []byte {
	b := []byte("\x78\x9f\x3e\x22\x01\x00")
	add := func(id uint32, data []byte) {
		b = append(b, 2)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, data...), 0, 0)
	}
	add(0x69002, make([]byte, 14))
	add(0x18010, []byte(name+"\x00"))
	add(0x6800f, data)
	return b
}

// What can't be taken apart is named, and searched as it is.
func TestTroubles(t *testing.T) {
	good := zipOf(map[string][]byte{"a.cer": []byte("hello")})
	sealed := bytes.Clone(good)
	at := bytes.Index(sealed, []byte("PK\x01\x02"))
	sealed[at+8] |= 1
	msg := report(t, "12-outlook-msg/certificate.msg")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut zip": {good[:len(good)-10], "damaged"}, "encrypted": {sealed, "encrypted"},
		"cut gzip": {gzipOf([]byte("hello"))[:15], "damaged"}, "cut msg": {msg[:700], "neither text nor attachments"},
		"cut tnef": {tnef("a", []byte("hello"))[:56], "cut"},
	} {
		f := unpack.Open(c.data, nil)
		if len(f.Troubles) != 1 || !strings.Contains(f.Troubles[0].Text, c.want) || !f.Incomplete ||
			!bytes.Equal(f.Parts[len(f.Parts)-1].Data, c.data) {
			t.Errorf("%s: %v %q", name, f.Troubles, names(f))
		}
	}
}

// Bombs are cut off: neither the time nor the memory grows with what they say.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	bomb := gzipOf(zeros)
	many := map[string][]byte{}
	for i := range 200 {
		many[fmt.Sprint(i)] = bomb
	}
	deep := []byte("hello")
	for range 40 {
		deep = gzipOf(deep)
	}
	msg := report(t, "12-outlook-msg/certificate.msg")
	for name, data := range map[string][]byte{
		"gzip": bomb, "twice": gzipOf(bomb), "zip": zipOf(map[string][]byte{"a": zeros}), "many": zipOf(many),
		"deep": deep, "entries": bytes.Repeat([]byte("PK\x01\x02"+strings.Repeat("\x00", 42)), 100_000),
		"begin": bytes.Repeat([]byte("begin 644 a\n"), 1<<20), "from": bytes.Repeat([]byte("\nFrom a 00:00\nA:\n"),
			1<<20),
		"tnef": append([]byte("\x78\x9f\x3e\x22\x01\x00"),
			bytes.Repeat([]byte("\x02\x0c\x80\x02\x00\x00\x00\x00\x00\x00\x00"), 1<<20)...),
		"base64": append([]byte(base64.StdEncoding.EncodeToString(gzipOf(zeros)[:48])),
			bytes.Repeat([]byte("\nA"), 8<<20)...),
		"base64 of a bomb": []byte(base64.StdEncoding.EncodeToString(bomb)),
		"storage": bytes.Replace(msg, []byte("3\x007\x000\x001\x000\x001\x000\x002"),
			[]byte("3\x007\x000\x001\x000\x000\x000\x00D"), 1),
	} {
		if name == "entries" {
			data = append([]byte("PK\x03\x04"), data...)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f := unpack.Open(data, nil)
		runtime.ReadMemStats(&after)
		most := uint64(400)
		if name == "base64" {
			most = 100
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > most {
			t.Errorf("%s: %d MiB, %d parts", name, n, len(f.Parts))
		}
		if name != "storage" && !f.Incomplete {
			t.Errorf("%s: it is said to be complete", name)
		}
	}
}

// CR line ends of a text become LF. The octets of a key that is no text stay as they are.
func TestTextHasLineEnds(t *testing.T) {
	for data, want := range map[string]string{
		"a\rb":                  "a\nb",
		"a\r\nb":                "a\r\nb",
		"\a\x02\x00\x00RSA2\rb": "\a\x02\x00\x00RSA2\rb",
	} {
		if got, err := unpack.Text([]byte(data)); string(got) != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", data, got, err, want)
		}
	}
}

func TestMeant(t *testing.T) {
	const line = "-----BEGIN CERTIFICATE-----"
	for name, text := range map[string]string{
		"JSON":             `{"c":"-----BEGIN CERTIFICATE-----\nMII"}`,
		"JSON twice":       `"{\"c\":\"-----BEGIN CERTIFICATE-----\\nMII\"}"`,
		"page":             "<p>&#45;----BEGIN <span>CERTIFICATE</span>-----<br>MII</p>",
		"quoted-printable": "a =3D b\n-----BEGIN CERTIFI=\nCATE-----\nMII",
		"address":          "c=-----BEGIN%20CERTIFICATE-----%0AMII",
		"form":             "c=-----BEGIN+CERTIFICATE-----%0AMII",
		"quoted":           "> > -----BEGIN CERTIFICATE-----\n> > MII",
		"typographic":      "–––––BEGIN\u00a0CERTIFICATE–––––\nMII",
		"unicode escapes":  `\u002d----BEGIN CERTIFICATE-----\nMII`,
	} {
		if got := string(unpack.Meant([]byte(text))); !strings.Contains(got, line+"\nMII") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, text := range []string{"", line + "\nMIIA==\n", "100 % of it = all", "a > b\n"} {
		if got := unpack.Meant([]byte(text)); got != nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"12-outlook-msg/certificate.msg", "13-zip/certificate.zip",
		"19-uuencode/certificate.eml"} {
		f.Add(report(f, name))
	}
	f.Add(tnef("a", []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		opened := unpack.Open(data, nil)
		if len(opened.Parts) == 0 && !opened.Incomplete && filekind.Of(data) == filekind.Unknown && len(data) > 0 &&
			opened.Mails == 0 {
			t.Error("nothing is left of it")
		}
		for _, p := range opened.Parts {
			unpack.Meant(p.Data)
		}
	})
}

// A part whose header has a character that no header may have is named, because it may be the
// attachment that was looked for.
func TestPartWithControlCharacters(t *testing.T) {
	mail := "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n" +
		"--b\r\nContent-Disposition: attachment; filename=\"a\x1b[31m.cer\"\r\n\r\nx\r\n--b--\r\n"
	f := unpack.Open([]byte(mail), nil)
	if len(f.Troubles) != 1 || f.Troubles[0].Name != "a part of the mail" || !f.Incomplete ||
		!strings.Contains(f.Troubles[0].Text, "header can't be read") {
		t.Errorf("%+v", f.Troubles)
	}
}

// tnefIn returns a TNEF with a message in TNEF attached, as its property PR_ATTACH_DATA_OBJ.
func tnefIn(inner []byte) []byte {
	property := append([]byte{1, 0, 0, 0, 0x0d, 0, 1, 0x37, 1, 0, 0, 0}, make([]byte, 20)...)
	data := append(property, inner...)
	out := []byte{0x78, 0x9f, 0x3e, 0x22, 1, 0, 2}
	out = binary.LittleEndian.AppendUint32(out, 0x00069005)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
	return append(append(out, data...), 0, 0)
}
