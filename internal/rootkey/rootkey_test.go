package rootkey_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/rootkey"
)

func generate(t testing.TB) *rootkey.Key {
	t.Helper()
	k, err := rootkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t testing.TB, by interface {
	Seal([]byte, rootkey.Context) ([]byte, error)
}, plaintext []byte, c rootkey.Context) []byte {
	t.Helper()
	sealed, err := by.Seal(plaintext, c)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

var (
	place = rootkey.Context{Partner: "acme", Environment: "STAG", KeyID: "ACME.stag.key-1", Version: 3,
		Purpose: "private key"}
	private = bytes.Repeat([]byte("a private key, PKCS #8 "), 50)
)

func TestSealAndOpen(t *testing.T) {
	k := generate(t)
	for _, plaintext := range [][]byte{private, {0}, {}} {
		for _, c := range []rootkey.Context{place, {Purpose: "p"}} {
			sealed := seal(t, k, plaintext, c)
			got, err := k.Open(sealed, c)
			if err != nil || !bytes.Equal(got, plaintext) || len(sealed) != 37+len(plaintext) || len(plaintext) > 1 &&
				bytes.Contains(sealed, plaintext[:8]) {
				t.Errorf("%d bytes: %q, %v", len(plaintext), got, err)
			}
			if id, err := rootkey.SealedUnder(sealed); err != nil || id != k.ID() || len(id) != 16 {
				t.Errorf("sealed under %s, %v; by %s", id, err, k.ID())
			}
		}
	}
}

// refused makes sure that nothing is opened, and that the error names the record.
func refused(t *testing.T, name string, plaintext []byte, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			if plaintext != nil || !strings.Contains(err.Error(),
				`partner "acme", environment "STAG", key ID "ACME.stag.key-1", sealing 3`) {
				t.Errorf("%s: %d bytes, %v", name, len(plaintext), err)
			}
			return
		}
	}
	t.Errorf("%s: %v", name, err)
}

// TestEveryByte: whichever bit is another, nothing opens. In the first bytes that
// is another root key, elsewhere damage.
func TestEveryByte(t *testing.T) {
	k := generate(t)
	ring, err := rootkey.NewRing(k, generate(t))
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, k, private[:40], place)
	for i := range sealed {
		want := rootkey.ErrDamaged
		if i >= 1 && i < 9 {
			want = rootkey.ErrOtherKey
		}
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			got, err := k.Open(changed, place)
			refused(t, fmt.Sprintf("byte %d, bit %d", i, bit), got, err, want)
			got, err = ring.Open(changed, place)
			refused(t, fmt.Sprintf("byte %d, bit %d", i, bit), got, err, want)
		}
		got, err := k.Open(sealed[:i], place)
		refused(t, fmt.Sprintf("%d bytes", i), got, err, rootkey.ErrDamaged)
		got, err = k.Open(append(append(bytes.Clone(sealed[:i]), 0), sealed[i:]...), place)
		refused(t, fmt.Sprintf("one more byte at %d", i), got, err, rootkey.ErrDamaged, rootkey.ErrOtherKey)
	}
	got, err := k.Open(append(bytes.Clone(sealed), 0), place)
	refused(t, "one more byte", got, err, rootkey.ErrDamaged)
	got, err = k.Open(nil, place)
	refused(t, "nothing", got, err, rootkey.ErrDamaged)
}

// TestOtherPlaces: what was sealed for one place opens at no other, not even where
// the texts run together in the same way.
func TestOtherPlaces(t *testing.T) {
	k := generate(t)
	sealed := seal(t, k, private, place)
	fields := reflect.TypeFor[rootkey.Context]()
	for f := range fields.NumField() {
		for _, suffix := range []string{"x", "\x00", ""} {
			other := place
			switch v := reflect.ValueOf(&other).Elem().Field(f); {
			case v.Kind() == reflect.Int64:
				v.SetInt(v.Int() - int64(len(suffix)) - 1)
			case suffix == "":
				v.SetString(v.String()[1:])
			default:
				v.SetString(v.String() + suffix)
			}
			if got, err := k.Open(sealed, other); got != nil || !errors.Is(err, rootkey.ErrDamaged) ||
				!strings.Contains(err.Error(), other.String()) {
				t.Errorf("%s: %v", fields.Field(f).Name, err)
			}
		}
	}
	ab := seal(t, k, private, rootkey.Context{Partner: "ab", Environment: "c", Purpose: "p"})
	for _, c := range []rootkey.Context{{Partner: "a", Environment: "bc", Purpose: "p"},
		{Partner: "abc", Purpose: "p"}, {KeyID: "abc", Purpose: "p"}, {Partner: "c", Environment: "ab",
			Purpose: "p"}} {
		if _, err := k.Open(ab, c); !errors.Is(err, rootkey.ErrDamaged) {
			t.Errorf("%v opens", c)
		}
	}
}

func TestNoNonceTwice(t *testing.T) {
	k := generate(t)
	seen := make(map[[12]byte]bool)
	for range 100_000 {
		sealed := seal(t, k, nil, place)
		seen[[12]byte(sealed[9:21])] = true
	}
	if len(seen) != 100_000 {
		t.Errorf("%d nonces in 100,000 seals", len(seen))
	}
}

func TestOtherRootKey(t *testing.T) {
	one, two := generate(t), generate(t)
	if one.ID() == two.ID() || bytes.Equal(one.CheckValue(), two.CheckValue()) {
		t.Fatal("two keys are one")
	}
	sealed := seal(t, one, private, place)
	got, err := two.Open(sealed, place)
	refused(t, "another root key", got, err, rootkey.ErrOtherKey)
	if !strings.Contains(err.Error(), one.ID()) || !strings.Contains(err.Error(), two.ID()) {
		t.Error(err)
	}
	// Who puts the other's ID in front gains nothing.
	id, _ := hex.DecodeString(two.ID())
	copy(sealed[1:], id)
	got, err = two.Open(sealed, place)
	refused(t, "another's ID", got, err, rootkey.ErrDamaged)
}

func TestCheckValue(t *testing.T) {
	one, two := generate(t), generate(t)
	check := one.CheckValue()
	if err := one.Matches(check); err != nil {
		t.Error(err)
	}
	if err := two.Matches(check); !errors.Is(err, rootkey.ErrOtherKey) || !strings.Contains(err.Error(),
		"root key "+two.ID()) || !strings.Contains(err.Error(), "sealed under "+one.ID()) {
		t.Error(err)
	}
	for i := range check {
		changed := bytes.Clone(check)
		changed[i] ^= 1
		want := rootkey.ErrDamaged
		if i >= 1 && i < 9 {
			want = rootkey.ErrOtherKey
		}
		if err := one.Matches(changed); !errors.Is(err, want) {
			t.Errorf("byte %d: %v", i, err)
		}
		if err := one.Matches(check[:i]); !errors.Is(err, rootkey.ErrDamaged) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
}

func TestNoKey(t *testing.T) {
	for _, k := range []*rootkey.Key{nil, {}} {
		if sealed, err := k.Seal(private, place); sealed != nil || err == nil {
			t.Error("no key seals")
		}
		if _, err := k.Open(seal(t, generate(t), private, place), place); err == nil {
			t.Error("no key opens")
		}
		if k.Matches(generate(t).CheckValue()) == nil {
			t.Error("no key matches")
		}
		if _, err := rootkey.NewRing(k); err == nil {
			t.Error("no key makes a ring")
		}
		if _, err := rootkey.NewRing(generate(t), k); err == nil {
			t.Error("no key joins a ring")
		}
	}
	if sealed, err := generate(t).Seal(private, rootkey.Context{Partner: "acme"}); sealed != nil || err == nil {
		t.Error("sealed without a purpose")
	}
}

// TestNotPrinted: whatever prints a key prints its ID.
func TestNotPrinted(t *testing.T) {
	k := generate(t)
	want := "root key " + k.ID()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, k); got != want {
			t.Errorf("%s: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, struct{ K *rootkey.Key }{k}); len(got) > 100 {
			t.Errorf("%s in a struct: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, *k); got != want {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if data, err := json.Marshal(map[string]any{"k": k}); err != nil || string(data) != `{"k":{}}` {
		t.Errorf("%s %v", data, err)
	}
}

// TestRing: a rotation, as the registry does it.
func TestRing(t *testing.T) {
	old, next, other := generate(t), generate(t), generate(t)
	first := seal(t, old, private, place)
	ring, err := rootkey.NewRing(next, old)
	if err != nil {
		t.Fatal(err)
	}
	if ring.Newest() != next {
		t.Error(ring.Newest().ID())
	}
	plaintext, err := ring.Open(first, place)
	if err != nil {
		t.Fatal(err)
	}
	again := place
	again.Version++
	second := seal(t, ring, plaintext, again)
	if id, _ := rootkey.SealedUnder(second); id != next.ID() {
		t.Errorf("sealed under %s", id)
	}
	if got, err := next.Open(second, again); err != nil || !bytes.Equal(got, private) {
		t.Error(err)
	}
	for _, c := range []struct {
		sealed []byte
		place  rootkey.Context
	}{{first, again}, {second, place}} {
		if _, err := ring.Open(c.sealed, c.place); !errors.Is(err, rootkey.ErrDamaged) {
			t.Error("an earlier sealing was put back, and opens")
		}
	}
	got, err := ring.Open(seal(t, other, private, place), place)
	refused(t, "unknown", got, err, rootkey.ErrOtherKey)
	for _, says := range []string{"it names root key " + other.ID(), next.ID() + ", " + old.ID(),
		"add that one as an older"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v; not %q", err, says)
		}
	}
	if _, err := rootkey.NewRing(next, old, next); err == nil || !strings.Contains(err.Error(),
		next.ID()+" is given twice") {
		t.Error(err)
	}
}

// TestFIPS runs the tests of this package again under GODEBUG=fips140=only, where whatever is not
// approved fails.
func TestFIPS(t *testing.T) {
	c := exec.Command(os.Args[0],
		"-test.run=^(TestSealAndOpen|TestEveryByte|TestRing|TestCheckValue|TestFiles|TestNewPassphrase)$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := c.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 6 {
		t.Errorf("%v\n%s", err, out)
	}
}

// FuzzOpen: nothing opens but what was sealed, for its place.
func FuzzOpen(f *testing.F) {
	k := generate(f)
	sealed := seal(f, k, private, place)
	for _, seed := range [][]byte{sealed, sealed[:20], sealed[:37], nil} {
		f.Add(seed, place.Partner, place.Environment, place.KeyID, place.Purpose, place.Version)
	}
	f.Add(sealed, "", "", "", "", int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, partner, environment, keyID, purpose string, version int64) {
		c := rootkey.Context{Partner: partner, Environment: environment, KeyID: keyID, Purpose: purpose,
			Version: version}
		got, err := k.Open(data, c)
		if ours := bytes.Equal(data, sealed) && c == place; ours != (err == nil) || ours != bytes.Equal(got,
			private) || err != nil && got != nil {
			t.Errorf("%d bytes at %v: %v", len(data), c, err)
		}
		if err != nil && errors.Is(err, rootkey.ErrDamaged) == errors.Is(err, rootkey.ErrOtherKey) {
			t.Errorf("neither damage nor another root key: %v", err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := generate(b)
	for b.Loop() {
		seal(b, k, private, place)
	}
}

func BenchmarkOpen(b *testing.B) {
	k := generate(b)
	sealed := seal(b, k, private, place)
	for b.Loop() {
		if _, err := k.Open(sealed, place); err != nil {
			b.Fatal(err)
		}
	}
}
