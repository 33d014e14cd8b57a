package batchgcd_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"math/bits"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/batchgcd"
)

// prime returns the n-th prime of the test, the same for every call.
func prime(t testing.TB, n int) *big.Int {
	t.Helper()
	drawn.Lock()
	defer drawn.Unlock()
	for len(drawn.primes) <= n {
		p, err := rand.Prime(rand.Reader, 128)
		if err != nil {
			t.Fatal(err)
		}
		drawn.primes = append(drawn.primes, p)
	}
	return drawn.primes[n]
}

var drawn struct {
	sync.Mutex
	primes []*big.Int
}

// times is a product of primes.
func times(t testing.TB, numbers ...int) *big.Int {
	n := big.NewInt(1)
	for _, i := range numbers {
		n.Mul(n, prime(t, i))
	}
	return n
}

// named returns names in the order of the letters, so that known moduli come in an order. Some
// moduli begin with a byte 0, as in an ASN.1 integer.
func named(moduli map[string]*big.Int) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(moduli)) {
			if !yield(name, append(make([]byte, len(name)%2), moduli[name].Bytes()...)) {
				return
			}
		}
	}
}

func TestFind(t *testing.T) {
	known := map[string]*big.Int{"a": times(t, 0, 1), "b": times(t, 1, 2), "c": times(t, 3, 4)}
	for _, c := range []struct {
		name   string
		moduli []*big.Int
		want   []batchgcd.Shared
	}{
		{"none is new", nil, nil},
		{"nothing is shared", []*big.Int{times(t, 10, 11), times(t, 12, 13)}, []batchgcd.Shared{{}, {}}},
		{"one prime of one", []*big.Int{times(t, 3, 10)}, []batchgcd.Shared{{Known: []string{"c"}}}},
		{"one prime of two", []*big.Int{times(t, 10, 1)}, []batchgcd.Shared{{Known: []string{"a", "b"}}}},
		{"each prime of one", []*big.Int{times(t, 0, 3)}, []batchgcd.Shared{{Known: []string{"a", "c"}}}},
		{"two new ones share", []*big.Int{times(t, 10, 11), times(t, 11, 12), times(t, 13, 14)},
			[]batchgcd.Shared{{New: true}, {New: true}, {}}},
		{"with both", []*big.Int{times(t, 10, 4), times(t, 10, 11)},
			[]batchgcd.Shared{{Known: []string{"c"}, New: true}, {New: true}}},
		{"a known one itself", []*big.Int{times(t, 3, 4)}, []batchgcd.Shared{{}}},
		{"a known one that shares", []*big.Int{times(t, 0, 1)}, []batchgcd.Shared{{Known: []string{"b"}}}},
		{"the same twice", []*big.Int{times(t, 10, 11), times(t, 10, 11)}, []batchgcd.Shared{{}, {}}},
		{"the same twice, and shared", []*big.Int{times(t, 4, 10), times(t, 4, 10)},
			[]batchgcd.Shared{{Known: []string{"c"}}, {Known: []string{"c"}}}},
		{"a multiple of a known one", []*big.Int{times(t, 3, 4, 10, 11)}, []batchgcd.Shared{{Whole: []string{"c"}}}},
		{"a multiple of one, and a prime of another", []*big.Int{times(t, 3, 4, 0)},
			[]batchgcd.Shared{{Known: []string{"a"}, Whole: []string{"c"}}}},
		{"one and its multiple", []*big.Int{times(t, 10, 11), times(t, 10, 11, 12, 13)},
			[]batchgcd.Shared{{}, {NewWhole: true}}},
		{"a square", []*big.Int{times(t, 10, 10), times(t, 10, 11)}, []batchgcd.Shared{{New: true}, {New: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := batchgcd.Find(t.Context(), c.moduli, named(known))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	got, err := batchgcd.Find(t.Context(), []*big.Int{times(t, 0, 1)}, named(nil))
	if err != nil || len(got) != 1 || got[0].New || len(got[0].Known) > 0 {
		t.Errorf("nothing is known: %+v, %v", got, err)
	}
}

// A known modulus may be a divisor of a new one that was made of it: then only the new one
// shares a prime, so that nobody can have another's key refused.
func TestMadeOfAKnownOne(t *testing.T) {
	made := times(t, 0, 1, 2, 3)
	got, err := batchgcd.Find(t.Context(), []*big.Int{times(t, 0, 1)}, named(map[string]*big.Int{"made": made}))
	if err != nil || got[0].New || len(got[0].Known) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Find finds what the comparison of each pair finds, for moduli of any lengths.
func TestFindAsByPairs(t *testing.T) {
	const seed, pool = 11, 150
	random := mathrand.New(mathrand.NewPCG(seed, seed))
	number := func() *big.Int {
		if random.IntN(4) > 0 {
			n := big.NewInt(1)
			for range 1 + random.IntN(12) {
				n.Mul(n, prime(t, random.IntN(pool)))
			}
			return n
		}
		words := make([]big.Word, 1+random.IntN(40)) // carries and gaps
		for i := range words {
			words[i] = [...]big.Word{0, 1, ^big.Word(0), big.Word(random.Uint64())}[random.IntN(4)]
		}
		n := new(big.Int).SetBits(words)
		return n.Add(n, big.NewInt(2))
	}
	shared, alone := 0, 0
	for round := range 300 {
		var moduli []*big.Int
		for range 1 + round%3 {
			moduli = append(moduli, number())
		}
		known := map[string]*big.Int{}
		for i := range batchgcd.MaxNames {
			known[fmt.Sprint(i)] = number()
		}
		if round%5 == 0 { // equal, a multiple, a divisor
			known["4"], known["5"] = moduli[0], times(t, 0, 1)
			known["6"] = new(big.Int).Mul(moduli[0], number())
			moduli = append(moduli, new(big.Int).Mul(known["7"], number()))
		}
		got, err := batchgcd.Find(t.Context(), moduli, named(known))
		if want := byPairs(moduli, known); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %+v, %v; want %+v", round, got, err, want)
		}
		for _, s := range got {
			if reflect.DeepEqual(s, batchgcd.Shared{}) {
				alone++
			} else {
				shared++
			}
		}
	}
	if shared < 50 || alone < 50 {
		t.Errorf("%d share a prime, %d do not: too few for a test", shared, alone)
	}
}

// byPairs is Find as it is defined.
func byPairs(moduli []*big.Int, known map[string]*big.Int) []batchgcd.Shared {
	found := make([]batchgcd.Shared, len(moduli))
	for i, n := range moduli {
		common := func(other *big.Int) (prime, whole bool) {
			g := new(big.Int).GCD(nil, nil, n, other)
			if g.IsUint64() && g.Uint64() == 1 || g.Cmp(n) == 0 {
				return false, false
			}
			return g.Cmp(other) != 0, g.Cmp(other) == 0
		}
		for name, bytes := range named(known) {
			if prime, whole := common(new(big.Int).SetBytes(bytes)); prime {
				found[i].Known = append(found[i].Known, name)
			} else if whole {
				found[i].Whole = append(found[i].Whole, name)
			}
		}
		for _, other := range moduli {
			prime, whole := common(other)
			found[i].New, found[i].NewWhole = found[i].New || prime, found[i].NewWhole || whole
		}
	}
	return found
}

func TestBounds(t *testing.T) {
	known := map[string]*big.Int{}
	for i := range batchgcd.MaxNames + 5 {
		known[fmt.Sprintf("%02d", i)] = times(t, 0, 20+i)
	}
	got, err := batchgcd.Find(t.Context(), []*big.Int{times(t, 0, 1)}, named(known))
	if err != nil || len(got[0].Known) != batchgcd.MaxNames {
		t.Errorf("%+v, %v", got, err)
	}
	var moduli []*big.Int
	for i := range batchgcd.MaxShared + 1 {
		moduli = append(moduli, times(t, 0, 20+i))
	}
	if _, err := batchgcd.Find(t.Context(), moduli, named(nil)); !errors.Is(err, batchgcd.ErrTooMany) {
		t.Errorf("%d that share: %v", len(moduli), err)
	}
	got, err = batchgcd.Find(t.Context(), moduli[:batchgcd.MaxShared], named(nil))
	if err != nil || slices.ContainsFunc(got, func(s batchgcd.Shared) bool { return !s.New }) {
		t.Errorf("%d that share: %v", batchgcd.MaxShared, err)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	known := func(yield func(string, []byte) bool) {
		cancel()
		for i := range 3 {
			if !yield(fmt.Sprint(i), times(t, 20+i, 21+i).Bytes()) {
				return
			}
		}
	}
	if _, err := batchgcd.Find(ctx, []*big.Int{times(t, 0, 1)}, known); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// BenchmarkFind is the cost of new moduli of 2,048 bits, alone and many at a time, without
// that of reading the known ones.
func BenchmarkFind(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		known := make([][]byte, size)
		for i := range known {
			known[i] = modulus().Bytes()
		}
		all := func(yield func(string, []byte) bool) {
			for _, n := range known {
				if !yield("", n) {
					return
				}
			}
		}
		for _, n := range []int{1, 100, 8192} {
			moduli := make([]*big.Int, n)
			for i := range moduli {
				moduli[i] = modulus()
			}
			b.Run(fmt.Sprintf("known=%d/new=%d", size, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := batchgcd.Find(b.Context(), moduli, all); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N)/float64(n), "ms/key")
			})
		}
	}
}

// modulus returns numbers of about 2,048 bits that have nothing in common: powers of primes.
func modulus() *big.Int {
	small := primes()
	p := small[used%len(small)]
	used++
	return new(big.Int).Exp(big.NewInt(p), big.NewInt(int64(2048/bits.Len64(uint64(p)))), nil)
}

var used int

// primes are those from 2¹⁶ to 12 million.
var primes = sync.OnceValue(func() (primes []int64) {
	composite := make([]bool, 12_000_000)
	for p := 3; p < len(composite); p += 2 {
		if composite[p] {
			continue
		}
		if p > 1<<16 {
			primes = append(primes, int64(p))
		}
		for n := p * p; n < len(composite); n += 2 * p {
			composite[n] = true
		}
	}
	return primes
})
