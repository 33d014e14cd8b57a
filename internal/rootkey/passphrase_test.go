package rootkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/rootkey"
)

const words = "correct horse battery staple"

// TestPassphrase: the same passphrase is the same key; another, or another salt,
// is another key, and the check value tells.
func TestPassphrase(t *testing.T) {
	k, parameters, err := rootkey.NewPassphrase([]byte(words))
	if err != nil {
		t.Fatal(err)
	}
	p, err := rootkey.ParseParameters(parameters)
	if err != nil || p.Rounds < 600_000 || p.KDF != "PBKDF2-HMAC-SHA-256" || len(p.Salt) != 16 ||
		bytes.Contains(parameters, []byte(words)) {
		t.Errorf("%s, %v", parameters, err)
	}
	p.Salt[0] ^= 1
	otherSalt, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for _, c := range []struct {
		passphrase string
		parameters []byte
		want       error
	}{{words, parameters, nil}, {words + " ", parameters, rootkey.ErrOtherKey}, {words, otherSalt,
		rootkey.ErrOtherKey}} {
		wait.Go(func() {
			got, err := rootkey.FromPassphrase([]byte(c.passphrase), c.parameters)
			if err != nil || !errors.Is(got.Matches(k.CheckValue()), c.want) {
				t.Errorf("%q: %v", c.passphrase, err)
			}
		})
	}
	wait.Wait()
}

// TestNewPassphrase is for FIPS mode too.
func TestNewPassphrase(t *testing.T) {
	k, _, err := rootkey.NewPassphrase([]byte(words))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(seal(t, k, private, place), place); err != nil || !bytes.Equal(got, private) {
		t.Error(err)
	}
}

const parameters = `{"kdf":"PBKDF2-HMAC-SHA-256","rounds":600000,"salt":"AAECAwQFBgcICQoLDA0ODw=="}`

func TestNoPassphrase(t *testing.T) {
	for _, bad := range []string{"", "hunter2", "fifteen bytes..", strings.Repeat("abc", 20)} {
		if k, p, err := rootkey.NewPassphrase([]byte(bad)); err == nil || k != nil || p != nil || bad != "" &&
			strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := rootkey.FromPassphrase(nil, []byte(parameters)); err == nil || !strings.Contains(err.Error(),
		"the passphrase is empty") {
		t.Error(err)
	}
	if _, err := rootkey.ParseParameters([]byte(parameters)); err != nil {
		t.Error(err)
	}
	for _, change := range [][2]string{
		{"600000", "599999"}, {"600000", "1"}, {"600000", "-600000"}, {"600000", "10000001"}, {"600000",
			"600000.5"}, {"600000", "6e5"},
		{"SHA-256", "SHA-1"}, {"AAEC", ""}, {"AAEC", "AAECAAEC"}, {"}", `,"x":1}`}, {"}", ""}, {"{",
			" {"}, {`"rounds"`, `"Rounds"`}, {parameters, ""},
	} {
		bad := []byte(strings.Replace(parameters, change[0], change[1], 1))
		if _, err := rootkey.ParseParameters(bad); err == nil || !strings.Contains(err.Error(),
			"restore them from a backup") {
			t.Errorf("%s: %v", bad, err)
		}
		if k, err := rootkey.FromPassphrase([]byte(words), bad); err == nil || k != nil {
			t.Errorf("%s makes a key", bad)
		}
	}
}

// FuzzParameters: only what NewPassphrase could have given is read.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{parameters, "", "{}", `{"kdf":"x"}`, strings.Replace(parameters, "6", "9", 1),
		"null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := rootkey.ParseParameters(data)
		if err != nil {
			if p.Rounds != 0 || p.Salt != nil || p.KDF != "" {
				t.Errorf("an error, and %+v", p)
			}
			return
		}
		again, err := json.Marshal(p)
		if err != nil || !bytes.Equal(again, data) || p.Rounds < 600_000 || p.Rounds > 10_000_000 ||
			len(p.Salt) != 16 {
			t.Errorf("%s is read as %+v", data, p)
		}
	})
}

func BenchmarkPassphrase(b *testing.B) {
	for b.Loop() {
		if _, err := rootkey.FromPassphrase([]byte(words), []byte(parameters)); err != nil {
			b.Fatal(err)
		}
	}
}
