package rsabatch

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

// known are the known answers of one size. The test key is public and protects nothing: each prime is
// the sum of a number derived from a sentence, and an offset.
type known struct {
	first, second int64  // offsets of the primes
	results       string // SHA-256 of the results of eight inputs, in hexadecimal
}

var knownAnswers = [len(Sizes)]known{
	{1476, 312, "cfd5555c98701ffaefbc38fef5a6c0209f246a06327f87e321e6d12bb16bfa85"},
	{344, 746, "41c95e58f3903dc87c784810d749600ebf216339b5d927fd9cb1667e12420105"},
	{1166, 1964, "c2fb97ae0baac276e1afd9647d36af17878fbc9205234b31e6ea0f2256b196f2"},
}

// key computes the test key of a size.
func (a known) key(bits int) *rsa.PrivateKey {
	prime := func(name string, offset int64) *big.Int {
		data := expand(bits/16, fmt.Appendf(nil, "sealane self-test, RSA-%d, %s prime: not a secret", bits, name))
		data[0] |= 0xc0
		data[len(data)-1] |= 1
		x := new(big.Int).SetBytes(data)
		return x.Add(x, big.NewInt(offset))
	}
	p, q, one := prime("first", a.first), prime("second", a.second), big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: Exponent},
		D:         new(big.Int).ModInverse(big.NewInt(Exponent), phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key
}

// input returns the input of a slot.
func input(bits, slot int) []byte {
	in := expand(bits/8, []byte{byte(slot)})
	in[0] = 0
	return in
}

// expand returns the hashes of a start and a counter, one after another.
func expand(n int, start []byte) []byte {
	var out []byte
	for counter := byte(0); len(out) < n; counter++ {
		sum := sha256.Sum256(append(bytes.Clone(start), counter))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// selfTest compares full batches and batches of one with the known answers, for every size.
func (e *Engine) selfTest() error {
	for size, answers := range knownAnswers {
		if err := e.testSize(size, answers); err != nil {
			return fmt.Errorf("%d bits: %w", Sizes[size], err)
		}
	}
	return nil
}

func (e *Engine) testSize(size int, answers known) error {
	bits := Sizes[size]
	s, err := e.trialKey(bits, answers.key(bits))
	if err != nil {
		return err
	}
	defer s.close()
	p, err := e.placeFor()
	if err != nil {
		return err
	}
	defer p.unit.Close()
	var results [][]byte
	for _, n := range []int{1, Slots} {
		results = nil
		for from := 0; from < Slots; from += n {
			results = append(results, runTrial(p, trial(s, bits, from, n, true))...)
		}
		if sum := sha256.Sum256(bytes.Join(results, nil)); hex.EncodeToString(sum[:]) != answers.results {
			return fmt.Errorf("results of batches of %d are not the known ones", n)
		}
	}
	inverse := trial(s, bits, 0, Slots, false)
	for i, o := range inverse {
		o.in = results[i]
	}
	for i, got := range runTrial(p, inverse) {
		if !bytes.Equal(got, input(bits, i)) {
			return fmt.Errorf("the result of slot %d of the public operation is not the known one", i)
		}
	}
	return nil
}

// trialKey imports a key for the test.
func (e *Engine) trialKey(bits int, key *rsa.PrivateKey) (*state, error) {
	size, reason := takesPart(key)
	if size < 0 {
		return nil, fmt.Errorf("the test key takes no part: %s", reason)
	}
	single, err := e.config.Private(key)
	if err != nil {
		return nil, err
	}
	s := &state{single: single, size: size}
	if err := s.join(e.config.Kernel, key, size); err != nil {
		single.Close()
		return nil, err
	}
	return s, nil
}

// trial returns n operations with the inputs from a slot on.
func trial(s *state, bits, from, n int, isPrivate bool) []*operation {
	list := make([]*operation, n)
	for i := range list {
		list[i] = &operation{class: class(s.size, isPrivate), key: s, modulus: s.modulus, single: s.single,
			in: input(bits, from+i), out: make([]byte, bits/8)}
	}
	return list
}

// runTrial returns the results of a batch; that of a wrong slot is nil.
func runTrial(p *place, taken []*operation) [][]byte {
	p.compute(taken)
	results := make([][]byte, len(taken))
	for i, o := range taken {
		if p.good[i] {
			results[i] = o.out
		}
	}
	return results
}

// rounds is how often an operation is measured. The shortest time counts: other programs only add to
// it.
const rounds = 3

// measure sets from how many operations on a batch takes less time than the same operations one after
// another.
func (e *Engine) measure() error {
	for size, answers := range knownAnswers {
		bits := Sizes[size]
		key := answers.key(bits)
		s, err := e.trialKey(bits, key)
		if err != nil {
			return err
		}
		public, err := e.config.Public(&key.PublicKey)
		if err != nil {
			return err
		}
		p, err := e.placeFor()
		if err != nil {
			return err
		}
		for _, isPrivate := range []bool{false, true} {
			single := public
			if isPrivate {
				single = s.single
			}
			e.even[class(size, isPrivate)], err = e.worthFrom(p, s, bits, single, isPrivate)
			if err != nil {
				return err
			}
		}
		p.unit.Close()
		public.Close()
		s.close()
	}
	return nil
}

func (e *Engine) worthFrom(p *place, s *state, bits int, single Single, isPrivate bool) (int, error) {
	batch, one := time.Duration(1<<62), time.Duration(1<<62)
	out := make([]byte, bits/8)
	for range rounds {
		taken, in := trial(s, bits, 0, Slots, isPrivate), input(bits, 0)
		start := e.config.Clock()
		p.compute(taken)
		middle := e.config.Clock()
		if err := single.Raw(out, in); err != nil {
			return 0, err
		}
		batch = min(batch, middle-start)
		one = min(one, e.config.Clock()-middle)
	}
	if one <= 0 {
		return Slots + 1, nil // the clock stands still
	}
	return int(min(max(batch/one+1, 2), Slots+1)), nil
}
