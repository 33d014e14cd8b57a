package alg_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/testkey"
)

// TestTable: names are distinct, each is found, and the data of an algorithm fits the sizes
// that its users reserve.
func TestTable(t *testing.T) {
	all := slices.Concat(alg.Signatures.Names(), alg.KeyEncryptions.Names(), alg.Contents.Names())
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a name is there twice: %q", all)
	}
	for _, s := range alg.Signatures {
		if got, ok := alg.Signatures.Find(s.Name); !ok || got != s || s.Hash.Size() > alg.MaxDigest ||
			s.KeyType != alg.RSA {
			t.Errorf("%s: %+v", s, got)
		}
	}
	for _, k := range alg.KeyEncryptions {
		if got, ok := alg.KeyEncryptions.Find(k.Name); !ok || got != k || k.Approved == (k.Hash == crypto.SHA1) ||
			k.KeyType != alg.RSA {
			t.Errorf("%s: %+v", k, got)
		}
	}
	for _, c := range alg.Contents {
		if got, ok := alg.Contents.Find(c.Name); !ok || got != c || c.CEK > alg.MaxCEK || c.IV > alg.MaxIV ||
			c.Tag > alg.MaxTag {
			t.Errorf("%s: %+v", c, got)
		}
	}
	if _, ok := alg.Signatures.Find("rs256"); ok {
		t.Error("names are compared without case")
	}
	if list, err := alg.Contents.Select([]string{"A128GCM", "A192GCM"}); list != nil || err == nil ||
		!strings.Contains(err.Error(), `"A192GCM"`) {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := alg.Contents.Select([]string{"A128GCM", "A256GCM"}); err != nil || len(list) != 2 ||
		list[0] != alg.A128GCM {
		t.Errorf("%v, %v", list, err)
	}
	for n := range 1000 {
		if alg.ModulusLen(n) != (n == 256 || n == 384 || n == 512) {
			t.Errorf("modulus of %d bytes", n)
		}
	}
	if got := alg.ModulusLens(); got != "256, 384 or 512" {
		t.Error(got)
	}
}

// sealed returns the result of Seal in the form that Open takes.
func sealed(t testing.TB, c *alg.Content, cek, plaintext, additional []byte) []byte {
	t.Helper()
	place := append(make([]byte, 0, c.IV+c.CiphertextLen(len(plaintext))+c.Tag), plaintext...)
	iv := make([]byte, alg.MaxIV)
	got, err := c.Seal(cek, iv, place, additional)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.CiphertextLen(len(plaintext)); len(got) != n+c.Tag || !c.IsCiphertextLen(n) {
		t.Fatalf("%s: %d bytes became %d", c, len(plaintext), len(got))
	}
	if whole := place[:cap(place)]; &got[0] != &whole[0] && &got[0] != &whole[c.IV] {
		t.Fatalf("%s: %d bytes were not sealed in place", c, len(plaintext))
	}
	return append(iv[:c.IV:c.IV], got...)
}

func TestContents(t *testing.T) {
	for _, c := range alg.Contents {
		cek := make([]byte, c.CEK)
		rand.Read(cek)
		additional := []byte("header")
		for n := range 70 {
			plaintext := bytes.Repeat([]byte{byte(n)}, n)
			s := sealed(t, c, cek, plaintext, additional)
			if again := sealed(t, c, cek, plaintext, additional); bytes.Equal(again[:c.IV], s[:c.IV]) {
				t.Fatalf("%s: an initialization vector came twice", c)
			}
			got, err := c.Open(cek, bytes.Clone(s), additional)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("%s, %d bytes: %x, %v", c, n, got, err)
			}
			for at := range s {
				bad := bytes.Clone(s)
				bad[at] ^= 0x10
				refused(t, c, fmt.Sprintf("byte %d of %d", at, n), cek, bad, additional)
			}
		}
		s := sealed(t, c, cek, []byte("plaintext"), additional)
		refused(t, c, "other additional data", cek, bytes.Clone(s), []byte("headeR"))
		other := bytes.Clone(cek)
		other[0] ^= 1
		refused(t, c, "another key", other, bytes.Clone(s), additional)
		other = bytes.Clone(cek)
		other[c.CEK-1] ^= 1
		if c.Block == 0 {
			refused(t, c, "another key at its end", other, bytes.Clone(s), additional)
		}
	}
}

// refused checks that there is no plaintext, and that nothing is left of the input.
func refused(t *testing.T, c *alg.Content, name string, cek, s, additional []byte) (err error) {
	t.Helper()
	got, err := c.Open(cek, s, additional)
	if err == nil || got != nil {
		t.Errorf("%s, %s: opened %x", c, name, got)
	}
	if zero := make([]byte, len(s)); !bytes.Equal(s[c.IV:len(s)-c.Tag], zero[c.IV:len(s)-c.Tag]) &&
		!bytes.Equal(s[:len(s)-c.IV-c.Tag], zero[:len(s)-c.IV-c.Tag]) {
		t.Errorf("%s, %s: it is not wiped", c, name)
	}
	return err
}

// TestPadding: a correct tag with wrong padding is refused with the same error as a wrong
// tag. Only the owner of the key can make such a message.
func TestPadding(t *testing.T) {
	cek := make([]byte, alg.A128CBCHS256.CEK)
	rand.Read(cek)
	wrongTag := refused(t, alg.A128CBCHS256, "wrong tag", cek, cbc(t, cek, make([]byte, 16), 0), nil)
	for name, last := range map[string][]byte{
		"zero":          {0},
		"seventeen":     bytes.Repeat([]byte{17}, 16),
		"255":           {255},
		"not the same":  {3, 2, 3},
		"first differs": append([]byte{15}, bytes.Repeat([]byte{16}, 15)...),
		"ISO 10126":     {1, 2, 3, 4},
	} {
		block := append(make([]byte, 32-len(last)), last...)
		if err := refused(t, alg.A128CBCHS256, name, cek, cbc(t, cek, block, 1), nil); err != wrongTag {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := 1; n <= 16; n++ {
		block := append(make([]byte, 32-n), bytes.Repeat([]byte{byte(n)}, n)...)
		if got, err := alg.A128CBCHS256.Open(cek, cbc(t, cek, block, 1), nil); err != nil || len(got) != 32-n {
			t.Errorf("padding of %d: %d bytes, %v", n, len(got), err)
		}
	}
	for _, n := range []int{0, 1, 15, 17, 31} { // no whole blocks, and a tag that is right
		s := append(make([]byte, 16), make([]byte, n)...)
		s = append(s, tagHS256(cek[:16], s)...)
		refused(t, alg.A128CBCHS256, fmt.Sprint(n, " bytes"), cek, s, nil)
	}
}

// cbc encrypts blocks unchanged. The tag is zeros if rightTag is 0.
func cbc(t *testing.T, cek, blocks []byte, rightTag int) []byte {
	t.Helper()
	block, err := aes.NewCipher(cek[16:])
	if err != nil {
		t.Fatal(err)
	}
	s := append(make([]byte, 16), blocks...)
	cipher.NewCBCEncrypter(block, s[:16]).CryptBlocks(s[16:], s[16:])
	if rightTag == 0 {
		return append(s, make([]byte, 16)...)
	}
	return append(s, tagHS256(cek[:16], s)...)
}

func tagHS256(key, ivAndCiphertext []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(ivAndCiphertext)
	mac.Write(binary.BigEndian.AppendUint64(nil, 0))
	return mac.Sum(nil)[:16]
}

// TestSignatures: a signature of one algorithm is invalid under all others, and the salt of
// RSASSA-PSS has the length of its hash.
func TestSignatures(t *testing.T) {
	key := testkey.RSA(t, "alg", 2048)
	public := alg.PublicKey{PublicKey: &key.PublicKey}
	for _, s := range alg.Signatures {
		digest := s.AppendDigest(nil, []byte("input"))
		signature, err := s.Sign(key, digest)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range alg.Signatures {
			if holds, err := other.Verify(public, digest, signature); holds != (s == other) || err != nil {
				t.Errorf("signed with %s, verified with %s: %t, %v", s, other, holds, err)
			}
		}
		if holds, _ := s.Verify(public, s.AppendDigest(nil, []byte("Input")), signature); holds {
			t.Errorf("%s: other input", s)
		}
	}
	digest := sha256.Sum256([]byte("input"))
	for _, salt := range []int{1, 20, 31, 33, 222} {
		var signature []byte
		fips140.WithoutEnforcement(func() {
			var err error
			if signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:],
				&rsa.PSSOptions{SaltLength: salt}); err != nil {
				t.Fatal(err)
			}
		})
		if holds, err := alg.PS256.Verify(public, digest[:], signature); holds || err != nil {
			t.Errorf("a salt of %d bytes: %t, %v", salt, holds, err)
		}
	}
}

// TestFIPS runs these tests where algorithms that are not approved fail.
func TestFIPS(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^(TestContents|TestPadding|TestSignatures)$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := c.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
}
