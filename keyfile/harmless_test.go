package keyfile_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// TestParseIgnoresMentionsOfPrivateKeys has BEGIN lines without a key.
func TestParseIgnoresMentionsOfPrivateKeys(t *testing.T) {
	certificate := string(cert.EncodePEM(testcert.Cert(t)))
	const line = "-----BEGIN RSA PRIVATE KEY-----"
	checksum := base64.StdEncoding.EncodeToString(testcert.Cert(t).Raw[:32])
	for name, text := range map[string]string{
		"comment":        "# never send a file with " + line + "\n" + certificate,
		"comment behind": certificate + "# never send a file with " + line,
		"quoted, alone": "Dear partner,\n\n> " + line + "\n\nis the first line of what must stay with " +
			"you:\n" + certificate,
		"both lines": line + "\n(here is the secret)\n-----END RSA PRIVATE KEY-----\n" + certificate,
		"with a checksum": "No " + line + " please; SHA-256 " + checksum +
			", see https://bank.example/Docs/KeyExchange2026/HowTo/Files\n" + certificate,
		"many lines": strings.Repeat(line+"\n", 100) + certificate,
		"other kinds of key": "-----BEGIN OPENSSH PRIVATE KEY----- or -----BEGIN PGP PRIVATE KEY " +
			"BLOCK-----\n" + certificate,
	} {
		f, err := keyfile.Parse([]byte(text))
		if err != nil || len(f.Certificates) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := keyfile.Parse([]byte("Never send us " + line + ", please."))
	wantError(t, err, "not PEM")
	notPrivate(t, err)
}

// TestParseFindsBrokenPrivateKeys has keys whose base64 is no longer in whole lines.
func TestParseFindsBrokenPrivateKeys(t *testing.T) {
	sealed, err := ourSealed()
	must(t, err)
	body := strings.TrimSpace(strings.SplitN(string(sealed), "-----", 5)[2])
	flat := strings.ReplaceAll(body, "\n", "")
	const begin, end = "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----"
	short := func(n int) string {
		var lines []string
		for part := range slices.Chunk([]byte(flat), n) {
			lines = append(lines, string(part))
		}
		return strings.Join(lines, "\n")
	}
	noise := strings.ReplaceAll(flat, "M", "N") // as legacy encryption: it begins like nothing
	for name, text := range map[string]string{
		"one line":       begin + flat + end,
		"blanks":         begin + " " + strings.ReplaceAll(body, "\n", " ") + " " + end,
		"escaped":        `{"key":"` + begin + strings.ReplaceAll(body, "\n", `\n`) + end + `"}`,
		"quoted":         "> " + begin + "\n> " + strings.ReplaceAll(body, "\n", "\n> "),
		"seven a line":   begin + "\n" + short(7) + "\n" + end,
		"damaged":        begin + "\n" + strings.ReplaceAll(body, "\n", "\n*"),
		"headers":        begin + "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" + noise + "\n" + end,
		"twenty a line":  begin + "\n" + short(20) + "\n",
		"many blanks":    begin + strings.Repeat("\n", 5000) + body,
		"behind mention": "Not " + begin + " this:\n" + begin + "\n" + noise,
	} {
		if sum := owner(leakOf(t, []byte(text)).Leak); sum != "" {
			t.Errorf("%s names %s", name, sum)
		}
	}
}

// javaStore returns a JKS or JCEKS, depending on magic, with these entries.
func javaStore(magic, version uint32, entries ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	return append(append(b, bytes.Join(entries, nil)...), make([]byte, 20)...) // its checksum is not looked at
}

func javaEntry(kind uint32, version int, content []byte) []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	b := text(binary.BigEndian.AppendUint32(nil, kind), "partner")
	b = append(b, make([]byte, 8)...)
	if kind == 2 && version == 2 {
		b = text(b, "X.509")
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(content))), content...)
}

const jks, jceks = 0xfeedfeed, 0xcececece

func TestParseJavaKeyStores(t *testing.T) {
	c := testcert.Cert(t)
	key := x509.MarshalPKCS1PrivateKey(testcert.Key())
	trusted := javaEntry(2, 2, c.Raw)
	for name, data := range map[string][]byte{
		"JKS":       javaStore(jks, 2, trusted),
		"two":       javaStore(jks, 2, trusted, trusted),
		"JCEKS":     javaStore(jceks, 2, trusted),
		"version 1": javaStore(jks, 1, javaEntry(2, 1, c.Raw)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keyfile.Parse(data)
			wantError(t, err, "holds no key", "keytool -exportcert -rfc")
			notPrivate(t, err)
			_, _, err = keyfile.ParsePrivate(data, nil)
			wantError(t, err, "without a private key")
		})
	}
	_, err := keyfile.Parse(javaStore(jks, 2))
	wantError(t, err, "without an entry")
	notPrivate(t, err)
	for name, data := range map[string][]byte{
		"key":           javaStore(jks, 2, javaEntry(1, 2, key)),
		"key behind":    javaStore(jks, 2, trusted, javaEntry(1, 2, key)),
		"secret":        javaStore(jceks, 2, trusted, javaEntry(3, 2, key[:32])),
		"unknown kind":  javaStore(jks, 2, javaEntry(4, 2, key)),
		"version 3":     javaStore(jks, 3, trusted),
		"cut":           javaStore(jks, 2, trusted)[:300],
		"long entry":    javaStore(jks, 2, javaEntry(2, 2, nil)[:28], []byte{0xff, 0xff, 0xff, 0xff}),
		"count too big": javaStore(jks, 2, trusted, nil, nil),
	} {
		if sum := owner(leakOf(t, data).Leak); sum != "" {
			t.Errorf("%s names %s", name, sum)
		}
	}
	for name, data := range map[string][]byte{
		"key as a certificate": javaStore(jks, 2, javaEntry(2, 2, key)),
		"PEM behind":           append(javaStore(jks, 2, trusted), block("RSA PRIVATE KEY", key)...),
	} {
		if leakOf(t, data).PublicKey.IsZero() {
			t.Errorf("%s: not named", name)
		}
	}
}

// TestParseTrustStoreOfKeytool has stores that keytool itself writes.
func TestParseTrustStoreOfKeytool(t *testing.T) {
	keytool := peer(t, "keytool")
	keytool.write("c.pem", cert.EncodePEM(testcert.Cert(t)))
	for _, kind := range []string{"JKS", "JCEKS"} {
		keytool.run(
			"-importcert", "-noprompt", "-storetype", kind, "-keystore", kind, "-storepass", "changeit", "-file",
			"c.pem", "-alias", "partner",
		)
		_, err := keyfile.Parse(keytool.read(kind))
		wantError(t, err, kind, "holds no key", "keytool -exportcert -rfc")
		notPrivate(t, err)
		keytool.run(
			"-genkeypair", "-keyalg", "RSA", "-dname", "CN=x", "-storetype", kind, "-keystore", kind, "-storepass",
			"changeit", "-keypass", "changeit", "-alias", "own",
		)
		leakOf(t, keytool.read(kind))
	}
}

// TestParseSaysWhatItIs has files of openssl that are neither certificate nor key.
func TestParseSaysWhatItIs(t *testing.T) {
	openssl := peer(t, "openssl")
	openssl.write("data", []byte("data"))
	cms := func(args ...string) []byte {
		openssl.run(
			append(append([]string{"cms"}, args...), "-binary", "-in", "data", "-outform", "DER", "-out", "cms")...,
		)
		return openssl.read("cms")
	}
	made := func(args ...string) []byte {
		openssl.run(append(args, "-out", "made")...)
		return openssl.read("made")
	}
	certificate := cert.EncodePEM(testcert.Cert(t))
	explicit := made("ecparam", "-name", "prime256v1", "-param_enc", "explicit")
	dsa := made("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024")
	dh := made("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048")
	for name, f := range map[string]struct {
		data []byte
		says string
	}{
		"digested":           {cms("-digest_create"), "digested-data"},
		"under a passphrase": {cms("-encrypt", "-pwri_password", "x"), "enveloped-data"},
		"encrypted": {
			cms("-EncryptedData_encrypt", "-aes128", "-secretkey", "00112233445566778899aabbccddeeff"),
			"encrypted-data",
		},
		"data":                   {cms("-data_create"), "plain data"},
		"explicit curve":         {explicit, "EC PARAMETERS"},
		"named curve":            {made("ecparam", "-name", "prime256v1"), "EC PARAMETERS"},
		"curve by a certificate": {append(explicit, certificate...), "EC PARAMETERS"},
		"DSA parameters":         {dsa, "DSA PARAMETERS"},
		"DSA parameters, DER":    {unblock(t, dsa), "DSA parameters"},
		"DH parameters":          {append(bytes.Clone(certificate), dh...), "DH PARAMETERS"},
		"DH parameters, DER":     {unblock(t, dh), "Diffie-Hellman parameters"},
		"explicit curve, DER":    {unblock(t, explicit), "neither a certificate nor PKCS#7"},
	} {
		_, err := keyfile.Parse(f.data)
		if err == nil || !strings.Contains(err.Error(), f.says) || strings.Contains(err.Error(), "does not parse") {
			t.Errorf("%s: %v", name, err)
		}
		var leak *keyfile.PrivateKeyError
		if errors.As(err, &leak) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unblock returns the DER of the only PEM block.
func unblock(t *testing.T, text []byte) []byte {
	t.Helper()
	lines := strings.SplitN(string(text), "-----", 4)
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(lines[2], "\n", ""))
	must(t, err)
	return der
}
