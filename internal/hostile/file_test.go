package hostile_test

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// sentinels are the errors that files name, other than the type PrivateKeyError.
var sentinels = map[string]error{
	"cert.ErrKeySize": cert.ErrKeySize, "cert.ErrKeyExponent": cert.ErrKeyExponent, "cert.ErrROCA": cert.ErrROCA,
	"cert.ErrSmallFactor": cert.ErrSmallFactor, "cert.ErrClosePrimes": cert.ErrClosePrimes,
	"keyfile.ErrPassphraseNeeded": keyfile.ErrPassphraseNeeded,
	"keyfile.ErrPassphraseWrong":  keyfile.ErrPassphraseWrong,
}

const (
	fileTimeout = time.Minute // a guard: each takes milliseconds, and a hundred times that under the race detector
	fileMemory  = 64 << 20    // allocated in all, not at once; the largest file has a megabyte
)

func TestFiles(t *testing.T) {
	files, err := hostile.ReadFiles(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Path, func(t *testing.T) {
			found := make(chan error, 1)
			go func() {
				defer func() {
					if p := recover(); p != nil {
						found <- fmt.Errorf("panic: %v", p)
					}
				}()
				found <- bounded(func() error { return judge(f) })
			}()
			var wrong error
			select {
			case wrong = <-found:
			case <-time.After(fileTimeout):
				t.Fatalf("no judgement after %s", fileTimeout)
			}
			was, known := hostile.KnownWrong[f.Path]
			switch {
			case known && wrong == nil:
				t.Errorf("is right now and no longer known to be wrong (%s): take it off KnownWrong", was)
			case !known && wrong != nil:
				t.Errorf("%v\n%s", wrong, f.Head())
			}
		})
	}
	for path := range hostile.KnownWrong {
		if !slices.ContainsFunc(files, func(f hostile.File) bool { return f.Path == path }) {
			t.Errorf("KnownWrong has %s, which is not in the corpus", path)
		}
	}
}

// bounded counts the work of f in what it allocates, which does not depend on
// the machine. TestFiles runs nothing in parallel.
func bounded(f func() error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > fileMemory {
		return errors.Join(err, fmt.Errorf("%d MiB were allocated", n>>20))
	}
	return err
}

// judge says what is wrong with how Sealane judges a file.
func judge(f hostile.File) error {
	var wrong []error
	if f.Reader == hostile.ReaderPrivate {
		_, _, err := keyfile.ParsePrivate(f.Content, f.Passphrase)
		wrong = append(wrong, expected(f, err), keepsSecrets(f, err))
		file, err := keyfile.Parse(f.Content)
		switch {
		case f.AsCertificate == leak:
			wrong = append(wrong, isLeak(err))
		case f.AsCertificate != "":
			wrong = append(wrong, says(err, f.AsCertificate))
		case file == nil:
			wrong = append(wrong, fmt.Errorf("as a partner's file: %w", err))
		}
		return errors.Join(append(wrong, keepsSecrets(f, err))...)
	}
	file, err := keyfile.Parse(f.Content)
	if err == nil && len(file.Certificates) == 0 {
		err = cert.CheckKey(file.PublicKey) // as all do who load such a key
	}
	if err != nil || f.Rule == "" && f.Level == hostile.LevelRefused {
		return errors.Join(expected(f, err), keepsSecrets(f, err))
	}
	if len(file.Certificates) == 0 {
		return nil
	}
	p, err := profile.Load(f.Profile)
	if err != nil {
		return err
	}
	return ruled(f, cert.Check(file.Certificates[0], p.Certificate, f.At))
}

// expected holds the error of a reader against what the file names.
func expected(f hostile.File, err error) error {
	sentinel := sentinels[f.Error]
	switch {
	case f.Level == hostile.LevelOK && err != nil:
		return fmt.Errorf("not taken: %w", err)
	case f.Level == hostile.LevelOK:
		return nil
	case f.Rule != "":
		return fmt.Errorf("no rule could judge it: %w", err)
	case err == nil:
		return errors.New("taken")
	case f.Error == leak:
		return isLeak(err)
	case f.Error != "" && sentinel == nil:
		return fmt.Errorf("%s is no error that this test knows", f.Error)
	case f.Error != "" && !errors.Is(err, sentinel):
		return fmt.Errorf("it is not %s: %w", f.Error, err)
	}
	return says(err, f.Says)
}

func isLeak(err error) error {
	var found *keyfile.PrivateKeyError
	if !errors.As(err, &found) {
		return fmt.Errorf("the private key is not seen: %w", err)
	}
	return nil
}

func says(err error, words string) error {
	if err == nil || !strings.Contains(err.Error(), words) {
		return fmt.Errorf("does not say %q: %w", words, err)
	}
	return nil
}

// ruled wants the named rule at its level, and no other that refuses: one fault.
func ruled(f hostile.File, v cert.Verdict) error {
	var wrong []error
	seen := f.Rule == ""
	for _, r := range v {
		switch {
		case r.Code == f.Rule:
			seen = true
			if string(r.Level) != f.Level {
				wrong = append(wrong, fmt.Errorf("rule %s is %s: %s", r.Code, r.Level, r.Found))
			}
		case (r.Level == cert.Refused) != slices.Contains(f.Also, r.Code):
			wrong = append(wrong, fmt.Errorf("rule %s is %s too: %s", r.Code, r.Level, r.Found))
		}
		if unprintable(r.Found + r.Remedy) {
			wrong = append(wrong, fmt.Errorf("rule %s draws on the terminal: %q", r.Code, r.Found+r.Remedy))
		}
	}
	if !seen {
		wrong = append(wrong, fmt.Errorf("there is no rule %s, and none refuses: %v", f.Rule, v.Refused()))
	}
	return errors.Join(wrong...)
}

// keepsSecrets looks for the passphrase and for parts of the file in an error:
// as they stand there, and as a number in hexadecimal or decimal. A checksum is
// not in the file.
func keepsSecrets(f hostile.File, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if unprintable(text) {
		return fmt.Errorf("the error draws on the terminal: %q", text)
	}
	if len(text) > 1000 {
		return fmt.Errorf("the error has %d characters", len(text))
	}
	if len(f.Passphrase) > 0 && strings.Contains(text, string(f.Passphrase)) {
		return errors.New("the error holds the passphrase")
	}
	whole := [][]byte{f.Content}
	for block, rest := pem.Decode(f.Content); block != nil; block, rest = pem.Decode(rest) {
		whole = append(whole, block.Bytes)
	}
	for _, run := range longRun.FindAllString(text, -1) {
		parts := [][]byte{[]byte(run)}
		if b, err := hex.DecodeString(run); err == nil {
			parts = append(parts, b)
		}
		if n, ok := new(big.Int).SetString(run, 10); ok {
			parts = append(parts, n.Bytes())
		}
		for _, part := range parts {
			if slices.ContainsFunc(whole, func(w []byte) bool { return bytes.Contains(w, part) }) {
				return fmt.Errorf("the error repeats the file: %q", run)
			}
		}
	}
	return nil
}

var longRun = regexp.MustCompile(`[A-Za-z0-9+/_=-]{24,}`)

// unprintable finds what changes a terminal or the order of its text.
func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e ||
			r >= 0x2066 && r <= 0x2069
	})
}

// TestParseFile holds the reader of the corpus itself: what Bytes writes, it reads.
func TestParseFile(t *testing.T) {
	f := hostile.File{
		Reader: hostile.ReaderCertificate, Rule: "key-size", Also: []string{"weak-key", "exponent"},
		Level:   hostile.LevelRefused,
		Profile: "rdx", At: checkTime, Passphrase: []byte{}, Source: "x", Note: "y", Content: []byte("a\n\nb"),
	}
	got, err := hostile.ParseFile(f.Bytes())
	if err != nil || !bytes.Equal(got.Bytes(), f.Bytes()) || got.Passphrase == nil || string(got.Content) != "a\n\nb" {
		t.Errorf("%v\n%s", err, got.Bytes())
	}
	for _, data := range []string{
		"", "Reader: private\n", "Reader: private\nLevel: ok\n\n", "Reader: me\nLevel: ok\nSource: x\n\n",
		"Reader: private\nLevel: refused\nSource: x\n\n",
		"Reader: private\nLevel: ok\nSays: x\nSource: x\n\n",
		"Reader: certificate\nLevel: refused\nRule: x\nSource: x\n\n",
		"Reader: private\nLevel: ok\nSource: x\nOther: x\n\n",
		"Reader: private\nLevel: ok\nSource: x\nAt: today\n\n",
		"Reader: private\nLevel: ok\nSource: x\nPassphrase: bare\n\n",
	} {
		if f, err := hostile.ParseFile([]byte(data)); err == nil {
			t.Errorf("%q passed: %+v", data, f)
		}
	}
}
