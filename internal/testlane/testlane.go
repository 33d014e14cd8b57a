// Package testlane loads profiles and makes lanes for tests. Only tests may import it.
package testlane

import (
	"bytes"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Profile loads a profile by its name or file, as profile.Load does. Replacements, for an
// embedded profile, are pairs of a text in its file and the text that replaces it
// everywhere.
func Profile(t testing.TB, name string, replacements ...string) *profile.Profile {
	t.Helper()
	if len(replacements) == 0 {
		p, err := profile.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	source, err := profile.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		old, replacement := []byte(replacements[i]), []byte(replacements[i+1])
		if !bytes.Contains(source, old) {
			t.Fatalf("profile %s has no %q", name, old)
		}
		source = bytes.ReplaceAll(source, old, replacement)
	}
	p, err := profile.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// New makes a lane.
func New(t testing.TB, c sealane.Config) *sealane.Lane {
	t.Helper()
	l, err := sealane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Ring makes a ring.
func Ring(t testing.TB, keys ...keyring.Key) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ErrorText returns the text with which the named profile answers an outcome.
func ErrorText(t testing.TB, name string, on profile.Outcome) string {
	t.Helper()
	row, ok := Profile(t, name).Errors.Row(on)
	if !ok {
		t.Fatalf("profile %s has no error for %s", name, on)
	}
	return row.Text
}

// ErrorBody returns the body with which the named profile answers an outcome, under the ID "1".
func ErrorBody(t testing.TB, name string, on profile.Outcome) string {
	t.Helper()
	return string(Profile(t, name).Errors.Render("1", ErrorText(t, name, on)))
}
