package interop

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/rsaengine"
)

// oaepGroup is a group of RSAES-OAEP decryptions.
type oaepGroup struct {
	KeySize         int
	SHA, MGFSHA     string
	PrivateKeyPKCS8 string
	Tests           []vector
}

// algorithm returns the JOSE name of the group's parameters if we support it, or "".
func (g oaepGroup) algorithm() string {
	switch {
	case g.SHA == "SHA-256" && g.MGFSHA == "SHA-256":
		return alg.RSAOAEP256.Name
	case g.SHA == "SHA-1" && g.MGFSHA == "SHA-1":
		return alg.RSAOAEP.Name
	}
	return ""
}

// The result of a vector under one of our algorithms.
const (
	oaepOpens      = "opens"
	oaepNotACEK    = "decrypts to no CEK, refused"
	oaepLabel      = "valid under a label, refused"
	oaepInvalid    = "invalid, refused"
	oaepLength     = "invalid length, refused"
	oaepOther      = "other parameters, refused"
	oaepPrimes     = "key of three primes, refused"
	oaepSmallLarge = "key of another size, refused"
)

// oaepReasons are the reasons to refuse what is marked valid or acceptable.
var oaepReasons = map[string]string{
	oaepNotACEK:    "the key decrypts it as it should; the codec wants 32 bytes for A256GCM",
	oaepLabel:      "JOSE's label is empty (RFC 7518 section 4.3)",
	oaepOther:      "the group's hashes are not those of RSA-OAEP-256, or not those of RSA-OAEP",
	oaepPrimes:     "only keys of two primes are used",
	oaepSmallLarge: "only keys of 2048, 3072 and 4096 bits are used",
}

// oaepFiles are all of the module's files of RSAES-OAEP. Each case counts twice, for
// RSA-OAEP-256 and RSA-OAEP, if we accept its key.
var oaepFiles = map[string]counts{
	"rsa_oaep_2048_sha1_mgf1sha1_test.json": {
		oaepOpens:   1,
		oaepNotACEK: 9,
		oaepLabel:   7,
		oaepInvalid: 14,
		oaepOther:   31,
		oaepLength:  10,
	},
	"rsa_oaep_2048_sha224_mgf1sha1_test.json":   {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_2048_sha224_mgf1sha224_test.json": {oaepOther: 60, oaepLength: 10},
	"rsa_oaep_2048_sha256_mgf1sha1_test.json":   {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_2048_sha256_mgf1sha256_test.json": {
		oaepOpens:   1,
		oaepNotACEK: 9,
		oaepLabel:   8,
		oaepInvalid: 14,
		oaepOther:   32,
		oaepLength:  10,
	},
	"rsa_oaep_2048_sha384_mgf1sha1_test.json":           {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_2048_sha384_mgf1sha384_test.json":         {oaepOther: 58, oaepLength: 10},
	"rsa_oaep_2048_sha512_224_mgf1sha1_test.json":       {oaepOther: 54, oaepLength: 10},
	"rsa_oaep_2048_sha512_224_mgf1sha512_224_test.json": {oaepOther: 60, oaepLength: 10},
	"rsa_oaep_2048_sha512_mgf1sha1_test.json":           {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_2048_sha512_mgf1sha512_test.json":         {oaepOther: 56, oaepLength: 10},
	"rsa_oaep_3072_sha256_mgf1sha1_test.json":           {oaepOther: 54, oaepLength: 10},
	"rsa_oaep_3072_sha256_mgf1sha256_test.json": {
		oaepOpens:   1,
		oaepNotACEK: 9,
		oaepLabel:   8,
		oaepInvalid: 14,
		oaepOther:   32,
		oaepLength:  10,
	},
	"rsa_oaep_3072_sha512_256_mgf1sha1_test.json":       {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_3072_sha512_256_mgf1sha512_256_test.json": {oaepOther: 64, oaepLength: 10},
	"rsa_oaep_3072_sha512_mgf1sha1_test.json":           {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_3072_sha512_mgf1sha512_test.json":         {oaepOther: 56, oaepLength: 10},
	"rsa_oaep_4096_sha256_mgf1sha1_test.json":           {oaepOther: 54, oaepLength: 10},
	"rsa_oaep_4096_sha256_mgf1sha256_test.json": {
		oaepOpens:   1,
		oaepNotACEK: 9,
		oaepLabel:   8,
		oaepInvalid: 14,
		oaepOther:   32,
		oaepLength:  10,
	},
	"rsa_oaep_4096_sha512_mgf1sha1_test.json":                {oaepOther: 52, oaepLength: 10},
	"rsa_oaep_4096_sha512_mgf1sha512_test.json":              {oaepOther: 62, oaepLength: 10},
	"rsa_oaep_misc_test.json":                                {oaepNotACEK: 18, oaepOther: 402, oaepSmallLarge: 185},
	"rsa_three_primes_oaep_2048_sha1_mgf1sha1_test.json":     {oaepPrimes: 36},
	"rsa_three_primes_oaep_3072_sha224_mgf1sha224_test.json": {oaepPrimes: 38},
	"rsa_three_primes_oaep_4096_sha256_mgf1sha256_test.json": {oaepPrimes: 36},
}

// TestWycheproofOAEP puts each vector into a JWE as its encrypted key. If the vector's
// message is a CEK, the content is encrypted with it, so that it opens if and only if the
// vector is valid, has no label and is 32 bytes long. For the others the key itself shows
// that our code decrypts them with the right parameters; the codec then refuses their
// length.
func TestWycheproofOAEP(t *testing.T) {
	t.Parallel()
	for name, want := range oaepFiles {
		t.Run(name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, r *rsaengine.Engine) {
				got := results{}
				for _, g := range groupsOf[oaepGroup](t, name) {
					key, _, err := keyfile.ParsePrivate(unhex(t, g.PrivateKeyPKCS8), nil)
					if err != nil {
						class := refusedOAEPKey(t, g, err)
						for _, v := range g.Tests {
							got.add(class, v)
						}
						continue
					}
					own, err := r.PrivateKey(key)
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range g.Tests {
						for _, name := range alg.KeyEncryptions.Names() {
							got.add(judgeOAEP(t, own.(crypto.Decrypter), name, g, v), v)
						}
					}
				}
				got.compare(t, name, want, oaepReasons)
			})
		})
	}
}

// refusedOAEPKey returns the class of a key that was refused.
func refusedOAEPKey(t *testing.T, g oaepGroup, err error) (class string) {
	t.Helper()
	switch g.KeySize {
	case 2048, 3072, 4096:
		if !strings.Contains(err.Error(), "the key has 3 primes") {
			t.Fatalf("a key of %d bits: %v", g.KeySize, err)
		}
		return oaepPrimes
	}
	if !errors.Is(err, cert.ErrKeySize) {
		t.Fatalf("a key of %d bits: %v", g.KeySize, err)
	}
	return oaepSmallLarge
}

// witness is a key that records its arguments and results.
type witness struct {
	PrivateKey crypto.Decrypter
	asked      int
	options    crypto.DecrypterOpts
	gave       []byte
	err        error
}

func (w *witness) Public() crypto.PublicKey { return w.PrivateKey.Public() }

func (w *witness) Decrypt(random io.Reader, encrypted []byte, options crypto.DecrypterOpts) ([]byte, error) {
	got, err := w.PrivateKey.Decrypt(random, encrypted, options)
	w.asked++
	w.options, w.gave, w.err = options, bytes.Clone(got), err
	return got, err
}

var oaepHash = map[string]crypto.Hash{alg.RSAOAEP256.Name: crypto.SHA256, alg.RSAOAEP.Name: crypto.SHA1}

func judgeOAEP(t *testing.T, key crypto.Decrypter, alg string, g oaepGroup, v vector) (class string) {
	t.Helper()
	c := content{cek: unhex(t, v.Msg), iv: make([]byte, 12), encryptedKey: unhex(t, v.CT), plaintext: []byte("opened")}
	if len(c.cek) != 32 {
		c.cek = make([]byte, 32)
	}
	w := &witness{PrivateKey: key}
	plaintext, err := decrypt(c.rawJWE(t, b64(fmt.Appendf(nil, `{"alg":%q,"enc":"A256GCM"}`, alg))), w)
	fail := func() {
		t.Helper()
		t.Errorf("%s, %d %s: marked %s: key asked %d times, it gave %x, %v; we say %q, %v", alg, v.ID, v.Comment,
			v.Result, w.asked, w.gave, w.err, plaintext, err)
	}
	if len(c.encryptedKey) != g.KeySize/8 {
		if w.asked != 0 || faultOf(err) != "jwe.encrypted-key-length" || v.valid() {
			fail()
		}
		return oaepLength
	}
	options, ok := w.options.(*rsa.OAEPOptions)
	if w.asked != 1 || !ok || options.Hash != oaepHash[alg] || options.MGFHash != 0 || len(options.Label) != 0 {
		fail()
	}
	refused := w.err == rsa.ErrDecryption && faultOf(err) == "open.key" && plaintext == nil
	decrypts := w.err == nil && bytes.Equal(w.gave, unhex(t, v.Msg))
	right := refused
	switch {
	case g.algorithm() != alg:
		class = oaepOther
	case !v.valid():
		class = oaepInvalid
	case v.Label != "":
		class = oaepLabel
	case len(v.Msg) != 64:
		class, right = oaepNotACEK, decrypts && faultOf(err) == "open.key" && plaintext == nil
	default:
		class, right = oaepOpens, decrypts && err == nil && string(plaintext) == "opened"
	}
	if !right {
		fail()
	}
	return class
}

// TestWycheproofThreePrimes: the OpenSSL engine refuses a key of three primes that was not
// read by our reader.
func TestWycheproofThreePrimes(t *testing.T) {
	t.Parallel()
	r, err := rsaengine.Select(rsaengine.OpenSSL)
	if err != nil {
		t.Skipf("libcrypto.so.3 is missing: %v", err)
	}
	count := 0
	for name := range oaepFiles {
		if !strings.HasPrefix(name, "rsa_three_primes_") {
			continue
		}
		for _, g := range groupsOf[oaepGroup](t, name) {
			key := keyByGo(t, g.PrivateKeyPKCS8)
			if len(key.Primes) != 3 {
				t.Fatalf("%s: a key of %d primes", name, len(key.Primes))
			}
			if _, err := r.PrivateKey(key); err == nil || !strings.Contains(err.Error(), "the key has 3 primes") {
				t.Errorf("%s: %v", name, err)
			}
			count++
		}
	}
	if count != 3 {
		t.Errorf("%d keys of three primes, not 3", count)
	}
}
