package keyfile_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
	"golang.org/x/crypto/ssh"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func sumOf(key *rsa.PrivateKey) string {
	sum := sha256.Sum256(must1(x509.MarshalPKIXPublicKey(&key.PublicKey)))
	return hex.EncodeToString(sum[:])
}

// owner returns the public key of a leak in hexadecimal, or "" if it is not known.
func owner(l keyfile.Leak) string {
	if l.PublicKey.IsZero() {
		return ""
	}
	return l.PublicKey.String()
}

func keysOf(data []byte) (sums []string) {
	for _, e := range keyfile.FindPrivateKeys(data) {
		sums = append(sums, owner(e))
	}
	return sums
}

// privateBlob is a PRIVATEKEYBLOB of Windows for that use of the key.
func privateBlob(key *rsa.PrivateKey, use byte) []byte {
	b := append([]byte{7, 2, 0, 0, 0, use, 0, 0}, "RSA2"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(key.N.BitLen()))
	b = binary.LittleEndian.AppendUint32(b, uint32(key.E))
	field := func(n []byte, size int) {
		octets := make([]byte, size)
		copy(octets[size-len(n):], n)
		slices.Reverse(octets)
		b = append(b, octets...)
	}
	size := key.Size()
	field(key.N.Bytes(), size)
	for _, n := range [][]byte{
		key.Primes[0].Bytes(), key.Primes[1].Bytes(), key.Precomputed.Dp.Bytes(), key.Precomputed.Dq.Bytes(),
		key.Precomputed.Qinv.Bytes(),
	} {
		field(n, size/2)
	}
	field(key.D.Bytes(), size)
	return b
}

// bcryptBlob is a BCRYPT_RSAPRIVATE_BLOB.
func bcryptBlob(key *rsa.PrivateKey, n *rsa.PrivateKey) []byte {
	b := []byte("RSA2")
	e := []byte{1, 0, 1}
	for _, x := range []int{key.N.BitLen(), len(e), key.Size(), key.Size() / 2, key.Size() / 2} {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return slices.Concat(b, e, n.N.Bytes(), key.Primes[0].Bytes(), key.Primes[1].Bytes())
}

func TestParseFindsMicrosoftKeys(t *testing.T) {
	key, other := testcert.Key(), testcert.OtherKey()
	ours := sumOf(key)
	blob := privateBlob(key, 0xa4)
	for name, f := range map[string]struct {
		data []byte
		sum  string
	}{
		"PRIVATEKEYBLOB":        {blob, ours},
		"for signatures (.snk)": {privateBlob(key, 0x24), ours},
		"in a .pvk": {
			slices.Concat([]byte{0x1e, 0xf1, 0xb5, 0xb0}, make([]byte, 20), privateBlob(key, 0x24)), ours,
		},
		"encrypted .pvk": {
			slices.Concat([]byte{0x1e, 0xf1, 0xb5, 0xb0}, make([]byte, 20),
				[]byte{7, 2, 0, 0, 0, 0x24, 0, 0}, blob[100:]),
			"",
		},
		"in base64": {[]byte(base64.StdEncoding.EncodeToString(blob)), ours},
		"in base64 in a letter": {
			append([]byte("Dear all, here:\n\n"), append(lines76(blob), "\nRegards, B.\n"...)...), ours,
		},
		"cut in its first prime":    {blob[:20+key.Size()+10], ""},
		"cut behind it":             {blob[:20+key.Size()+key.Size()/2], ours},
		"BCRYPT_RSAPRIVATE_BLOB":    {bcryptBlob(key, key), ""}, // its owner is not looked for
		"with the modulus of other": {bcryptBlob(key, other), ""},
	} {
		if got := owner(leakOf(t, f.data).Leak); got != f.sum {
			t.Errorf("%s names %q, want %q", name, got, f.sum)
		}
	}
	public := slices.Concat([]byte{6, 2, 0, 0, 0, 0xa4, 0, 0}, []byte("RSA1"), blob[12:20+key.Size()])
	for _, data := range [][]byte{public, []byte("RSA2 and RSA3 are the marks of private keys"), []byte("RSA2")} {
		_, err := keyfile.Parse(data)
		wantError(t, err, "not PEM")
		notPrivate(t, err)
	}
}

// TestFindPrivateKeys expects each key that can be identified, and one leak for all others.
func TestFindPrivateKeys(t *testing.T) {
	one, two := testcert.Key(), testcert.OtherKey()
	first, second := sumOf(one), sumOf(two)
	plain := must1(keyfile.EncodePrivate(one, nil))
	jwk := must1(keyfile.EncodePrivateJWK(two, keyfile.JWKParams{KeyID: "k"}))
	sealed, err := ourSealed()
	must(t, err)
	store, _ := storePKCS12(t)
	open := pem.EncodeToMemory(must1(ssh.MarshalPrivateKey(one, "")))
	shut := pem.EncodeToMemory(must1(ssh.MarshalPrivateKeyWithPassphrase(one, "", []byte("x"))))
	c := testcert.Cert(t)
	for name, f := range map[string]struct {
		data []byte
		sums []string
	}{
		"none": {cert.EncodePEM(c), nil},
		"two in PEM": {
			slices.Concat(plain, must1(keyfile.EncodePrivate(two, nil))), []string{first, second},
		},
		"the same twice": {
			slices.Concat(plain, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(one))), []string{first},
		},
		"PEM and JWK": {slices.Concat(plain, jwk), []string{first, ""}},
		"JWK set": {
			[]byte(`{"keys":[` + string(must1(keyfile.EncodePrivateJWK(one, keyfile.JWKParams{KeyID: "j"}))) + "," +
				string(jwk) + `]}`),
			[]string{first, second},
		},
		"PEM and encrypted": {slices.Concat(plain, sealed), []string{first, ""}},
		"encrypted, after":  {slices.Concat(cert.EncodePEM(c), sealed), []string{""}},
		"quoted":            {[]byte("> " + strings.ReplaceAll(string(plain), "\n", "\n> ")), []string{first}},
		"in a string": {
			[]byte(`{"k":"` + strings.ReplaceAll(string(plain), "\n", `\r\n`) + `"}`), []string{first},
		},
		"in a Secret": {
			[]byte("data:\n  tls.crt: " + base64.StdEncoding.EncodeToString(cert.EncodePEM(c)) +
				"\n  tls.key: " + base64.StdEncoding.EncodeToString(plain) + "\n"),
			[]string{first},
		},
		"DER, two": {
			slices.Concat(x509.MarshalPKCS1PrivateKey(one), x509.MarshalPKCS1PrivateKey(two)), []string{first, second},
		},
		"DER behind a line end": {append([]byte("\n"), x509.MarshalPKCS1PrivateKey(one)...), []string{first}},
		"PKCS#12":               {store, []string{""}},
		"PKCS#12 in base64": {
			append([]byte("the store: "), base64.StdEncoding.EncodeToString(store)...), []string{""},
		},
		"OpenSSH":            {open, []string{first}},
		"OpenSSH, encrypted": {shut, []string{""}},
		"OpenSSH, cut": {
			append(bytes.Clone(open[:900]), "\n-----END OPENSSH PRIVATE KEY-----\n"...), []string{""},
		},
		"UTF-16": {utf16Text(plain), []string{first}},
		"the first cut, no end": {
			slices.Concat(plain[:1200], []byte("\n"), must1(keyfile.EncodePrivate(two, nil))), []string{first, second},
		},
		"mention":                {[]byte("no -----BEGIN PRIVATE KEY----- please"), nil},
		"PKCS#12 without a key":  {must1(trustStore(c)), nil},
		"certificates in PKCS#7": {must1(keyfile.EncodePKCS7DER(c)), nil},
	} {
		if got := keysOf(f.data); !slices.Equal(got, f.sums) {
			t.Errorf("%s: %q, want %q", name, got, f.sums)
		}
	}
}

// TestFindPublicKeys has one certificate in every form.
func TestFindPublicKeys(t *testing.T) {
	c, sum := testcert.Cert(t), sumOf(testcert.Key())
	sealed, err := ourSealed()
	must(t, err)
	forms := must1(keyfile.EncodeAll(c))
	text := cert.EncodePEM(c)
	forms["store"] = must1(trustStore(c))
	forms["base64"] = lines76(c.Raw)
	forms["one line"] = []byte(base64.StdEncoding.EncodeToString(c.Raw))
	forms["PEM in base64"] = lines76(text)
	forms["UTF-16"] = utf16Text(text)
	forms["quoted"] = []byte("> " + strings.ReplaceAll(string(text), "\n", "\n> "))
	escaped := strings.ReplaceAll(base64.StdEncoding.EncodeToString(c.Raw), "/", `\/`)
	forms["x5c"] = []byte(`{"x5c":["` + escaped + `"]}`)
	forms["CRLF after a key"] = slices.Concat(sealed, crlf(text))
	forms["behind words"] = slices.Concat([]byte("Certificate\n"), text)
	forms["Java"] = javaStore(jks, 2, javaEntry(2, 2, c.Raw))
	forms["public key"] = block("PUBLIC KEY", c.RawSubjectPublicKeyInfo)
	forms["cut"] = c.Raw[:len(c.Raw)-20]
	for name, data := range forms {
		if got := keyfile.FindPublicKeys(data); len(got) != 1 || got[0].String() != sum {
			t.Errorf("%s: %s", name, got)
		}
	}
	private := slices.Concat(must1(keyfile.EncodePrivate(testcert.OtherKey(), nil)), sealed)
	if got := keyfile.FindPublicKeys(private); len(got) > 0 {
		t.Errorf("of private keys: %s", got)
	}
}

func TestSignedContent(t *testing.T) {
	s := must1(pkcs7.NewSignedData([]byte("hello")))
	must(t, s.AddSigner(testcert.Cert(t), testcert.Key(), pkcs7.SignerInfoConfig{}))
	der := must1(s.Finish())
	for _, form := range [][]byte{der, block("PKCS7", der), lines76(der)} {
		if content, signed := keyfile.SignedContent(form); !signed || string(content) != "hello" {
			t.Errorf("%t %q of %.20q", signed, content, form)
		}
	}
	for _, form := range [][]byte{
		nil, []byte("hello"), testcert.Cert(t).Raw, must1(keyfile.EncodePKCS7(testcert.Cert(t))), der[:500],
		cert.EncodePEM(testcert.Cert(t)),
	} {
		if _, signed := keyfile.SignedContent(form); signed {
			t.Errorf("signed: %.20q", form)
		}
	}
}

// TestParseSearchesLargeFiles: a file that is refused for its size is searched before.
func TestParseSearchesLargeFiles(t *testing.T) {
	sum := sumOf(testcert.Key())
	plain := must1(keyfile.EncodePrivate(testcert.Key(), nil))
	filler := bytes.Repeat([]byte("-----BEGIN NOTHING----- eyJ MII and other words\n"), 1<<16)
	for _, data := range [][]byte{
		slices.Concat(plain, filler), slices.Concat(filler, plain), utf16Text(slices.Concat(filler, plain)),
		slices.Concat(x509.MarshalPKCS1PrivateKey(testcert.Key()), filler),
	} {
		if got := owner(leakOf(t, data).Leak); got != sum {
			t.Errorf("names %q", got)
		}
	}
	_, err := keyfile.Parse(filler)
	wantError(t, err, "at most 1048576 are read")
	notPrivate(t, err)
}

// linear searches data and a sixteenth of it. The whole must take less than 100 times as long: it
// takes 16 times as long in linear time, and 256 times in quadratic time. A busy machine makes one
// measurement longer, but not each of several.
func linear(t *testing.T, data []byte, search func([]byte)) {
	t.Helper()
	const attempts = 5
	timed := func(data []byte) time.Duration {
		start := time.Now()
		search(data)
		return time.Since(start)
	}
	small := data[:len(data)/16]
	search(small) // what happens once in a process does not count
	for range attempts {
		part, whole := max(timed(small), time.Millisecond), timed(data)
		t.Log(part, whole)
		if whole <= 100*part {
			return
		}
	}
	t.Errorf("it takes more than 100 times as long for 16 times as much, %d times", attempts)
}

// TestSearchIsBounded has files that are made to take long, and much memory.
func TestSearchIsBounded(t *testing.T) {
	const size = 2 << 20
	der := x509.MarshalPKCS1PrivateKey(testcert.Key())
	head := base64.StdEncoding.EncodeToString(der)[:48]
	short := base64.StdEncoding.EncodeToString([]byte{
		0x30, 0x50, 2, 1, 0, 2, 0x45, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	})
	fill := func(text string) []byte { return bytes.Repeat([]byte(text), size/len(text)) }
	begin := "-----BEGIN PRIVATE KEY-----"
	for name, data := range map[string][]byte{
		"line ends":       slices.Concat([]byte(begin+"\n:"), fill("\n")),
		"begin lines":     fill(begin + "\n"),
		"short blocks":    fill(begin + head + "\n"),
		"heads of keys":   fill(head + "\n"),
		"heads, in words": fill(head + " . "),
		"short shapes":    fill(short + "."),
		"DER heads":       fill(string(der[:40])),
		"headers":         fill("0\x82\x7f\xff\x02\x01\x00"),
		"sequences":       fill("0\x84\x00\xff\xff\xff"),
		"RSA2":            fill("\x07\x02\x00\x00\x00\xa4\x00\x00RSA2\x00\x10\x00\x00"),
		"quotation":       fill("\n>"),
		"long quotation":  fill("> "),
		"base64":          fill("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCMIIEvQIBADANBgkqhkiG9w0B"),
		"base64 lines":    fill("TIIEvQIBADANBgkqhkiG9w0BAQEFAASCMIIEvQIBADANBgkqhkiG9w0B\n"),
		"colons":          fill(`kty":"d":`),
		"JSON":            fill(`{"kty":"RSA","d":"AAAAAAAAAAAAAAAAAAAAAAAAA","x":`),
		"XML":             append([]byte("RSAKeyValue"), fill("<D> ")...),
		"escapes":         fill(`\n`),
		"UTF-16":          fill("M\x00I\x00I\x00B\x00"),
		"decimals":        fill("48,130,"),
		"base32":          fill("GCBAJIJYBAAQGAJQ"),
		"ascii85":         append([]byte("0g+_1"), fill("zzzzzzzz")...),
	} {
		t.Run(name, func(t *testing.T) {
			linear(t, data, func(data []byte) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				keyfile.FindPrivateKeys(data)
				keyfile.FindPublicKeys(data)
				runtime.ReadMemStats(&after)
				if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 100 {
					t.Errorf("%d MiB were allocated", n)
				}
			})
		})
	}
}

func trustStore(c *x509.Certificate) ([]byte, error) {
	return pkcs12.Passwordless.EncodeTrustStore([]*x509.Certificate{c}, "")
}
