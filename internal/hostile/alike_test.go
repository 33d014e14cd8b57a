package hostile_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rsa"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sealane/sealane/internal/hostile"
)

// TestNoTwoAlike: no two messages are the same thing under two names. Random
// keys and IVs make them look different; what they hold tells.
func TestNoTwoAlike(t *testing.T) {
	corpus, err := hostile.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := corpus.Key("recipient")
	if err != nil {
		t.Fatal(err)
	}
	seen, opened := map[string]string{}, 0
	for _, c := range corpus.Cases {
		held, ok := essence(c, recipient)
		if ok {
			opened++
		}
		if first := seen[held]; first != "" {
			t.Errorf("%s and %s are alike", first, c.Path)
		}
		seen[held] = c.Path
	}
	if opened < 150 {
		t.Errorf("only %d messages could be looked into", opened)
	}
}

var compactJWE = regexp.MustCompile(`[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+`)

// essence is what is left of a message without its randomness: of a body or a
// request, what stands around the token; of a token that can be decrypted, its
// header and its content; of any other, the token itself.
func essence(c hostile.Case, key *rsa.PrivateKey) (held string, opened bool) {
	switch c.Kind() {
	case "body", "http":
		return c.Kind() + c.Profile + string(compactJWE.ReplaceAll(c.Content, []byte("<token>"))), false
	}
	if inside, ok := looselyDecrypted(c.Content, key); ok {
		return "message" + c.Profile + inside, true
	}
	return "message" + c.Profile + string(c.Content), false
}

// looselyDecrypted returns header and plaintext of whatever RSA-OAEP-256 and
// A256GCM open, whatever the header says.
func looselyDecrypted(token []byte, key *rsa.PrivateKey) (string, bool) {
	texts := bytes.Split(token, []byte("."))
	if len(texts) != 5 {
		return "", false
	}
	var parts [5][]byte
	for i, text := range texts {
		var err error
		if parts[i], err = base64.RawURLEncoding.AppendDecode(nil, text); err != nil {
			return "", false
		}
		if !bytes.Equal(base64.RawURLEncoding.AppendEncode(nil, parts[i]), text) {
			return "", false // its spelling is the fault
		}
	}
	if len(parts[1]) != key.Size() || len(parts[2]) != 12 || len(parts[4]) != 16 {
		return "", false // its length is
	}
	cek, err := key.Decrypt(nil, parts[1], &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || len(cek) != 32 {
		return "", false
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return "", false
	}
	var content []byte
	fips140.WithoutEnforcement(func() {
		var gcm cipher.AEAD
		if gcm, err = cipher.NewGCM(block); err == nil {
			content, err = gcm.Open(nil, parts[2], append(parts[3], parts[4]...), texts[0])
		}
	})
	return string(parts[0]) + string(content), err == nil
}

// TestPage: the profiles answer the outcomes of the corpus, and docs/hostile.md names
// files that are there.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/hostile.md")
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := hostile.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range corpus.Cases {
		p, err := corpus.LoadProfile(c.Profile)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Errors.Row(c.Outcome); !ok {
			t.Errorf("%s: profile %s has no error for %s", c.Path, p.Name, string(c.Outcome))
		}
	}
	pattern := regexp.MustCompile("`((?:token|header|encryption|signature|body)/[^`]+)`")
	for _, path := range pattern.FindAllStringSubmatch(string(page), -1) {
		files, err := filepath.Glob(filepath.Join(dir, path[1]))
		if err != nil || len(files) == 0 {
			t.Errorf("docs/hostile.md names %s, and no file matches", path[1])
		}
	}
}
