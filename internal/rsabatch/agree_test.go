package rsabatch

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"sync"
	"testing"
)

// TestAgrees: batches of 1,000 keys of three sizes, used by 64 goroutines, return what crypto/rsa
// does. New tests and measures the kernel.
func TestAgrees(t *testing.T) {
	s := &setting{kernel: &goKernel{}}
	c := s.config()
	c.Places = 2
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, bits := range Sizes {
		if private, public := e.WorthFrom(bits); private != 3 || public != 3 {
			t.Errorf("%d: worth from %d and %d", bits, private, public)
		}
	}
	type pair struct {
		own    *rsa.PrivateKey
		key    *Key
		public *PublicKey
	}
	pairs := make([]pair, 1000)
	for i := range pairs {
		own := testKey(Sizes[i%10/8+i%50/49]) // mostly 2048 bits, some 3072, few 4096
		public, err := e.NewPublicKey(&own.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { public.Close() })
		pairs[i] = pair{own, newKey(t, e, own), public}
	}
	work := make(chan int)
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for i := range work {
				p := pairs[i]
				if err := exchange(p.own, p.key, p.public, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range pairs {
		work <- i
	}
	close(work)
	wait.Wait()
	got := e.Stats()
	if got.Wrong != 0 || got.Off != "" || got.Batches == 0 {
		t.Errorf("%+v", got)
	}
	t.Logf("%+v, %d units", got, s.kernel.units)
	if s.kernel.units > 2*len(Sizes)+c.Places {
		t.Errorf("%d units for %d places", s.kernel.units, c.Places)
	}
}

// exchange decrypts, encrypts, signs or verifies with a key, and compares.
func exchange(own *rsa.PrivateKey, key *Key, public *PublicKey, i int) error {
	message := fmt.Appendf(nil, "message %d", i)
	digest := sha256.Sum256(message)
	switch i % 4 {
	case 0:
		c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &own.PublicKey, message, nil)
		if err != nil {
			return err
		}
		if i%8 == 0 {
			c[len(c)-1] ^= 1
		}
		want, wantErr := own.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
		got, err := key.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != wantErr || !bytes.Equal(got, want) {
			return fmt.Errorf("decrypt %d: %v, crypto/rsa: %v", i, err, wantErr)
		}
	case 1:
		c, err := public.EncryptOAEP(crypto.SHA256, message)
		if err != nil {
			return err
		}
		got, err := own.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil || !bytes.Equal(got, message) {
			return fmt.Errorf("encrypt %d: %v", i, err)
		}
	case 2:
		signature, err := key.SignContext(context.Background(), digest[:], ps256)
		if err != nil {
			return err
		}
		if err := rsa.VerifyPSS(&own.PublicKey, crypto.SHA256, digest[:], signature, ps256); err != nil {
			return fmt.Errorf("sign %d: %w", i, err)
		}
	case 3:
		signature, err := rsa.SignPKCS1v15(nil, own, crypto.SHA256, digest[:])
		if err != nil {
			return err
		}
		if err := public.Verify(digest[:], signature, crypto.SHA256); err != nil {
			return fmt.Errorf("verify %d: %w", i, err)
		}
		signature[7] ^= 1
		if err := public.Verify(digest[:], signature, crypto.SHA256); err != rsa.ErrVerification {
			return fmt.Errorf("verify a changed signature %d: %v", i, err)
		}
	}
	return nil
}

// TestBlinding: the kernel sees no input of a caller, nor the same number for the same input twice, also
// after the factors were chosen anew; and the factors belong together.
func TestBlinding(t *testing.T) {
	seen := map[string]bool{}
	s := &setting{kernel: &goKernel{before: func(_ int, private bool, slots []Slot) {
		for _, slot := range slots {
			if private {
				seen[string(slot.In)] = true
			}
		}
	}}}
	e := s.engine()
	for class := range e.even {
		e.even[class] = 1
	}
	for _, bits := range Sizes[:2] {
		key := testKey(bits)
		k := newKey(t, e, key)
		digest := sha256.Sum256(nil)
		clear(seen)
		const n = 2*blindingUses + 5
		var first []byte
		for range n {
			signature, err := k.Sign(nil, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = signature
			}
			if !bytes.Equal(signature, first) {
				t.Fatal("a signature differs")
			}
		}
		input := new(big.Int).SetBytes(first)
		input.Exp(input, big.NewInt(Exponent), key.N)
		if len(seen) != n || seen[string(input.FillBytes(make([]byte, bits/8)))] {
			t.Errorf("%d: the kernel saw %d different inputs of %d", bits, len(seen), n)
		}
	}
}

// TestMontgomery compares the arithmetic with math/big.
func TestMontgomery(t *testing.T) {
	for _, bits := range Sizes {
		n := testKey(bits).N
		m := newModulus(n)
		r := new(big.Int).Lsh(big.NewInt(1), uint(bits))
		inverse := new(big.Int).ModInverse(r, n)
		last := new(big.Int).Sub(n, big.NewInt(1))
		numbers := []*big.Int{big.NewInt(0), big.NewInt(1), last, new(big.Int).Mod(r, n)}
		for range 20 {
			x, err := rand.Int(rand.Reader, n)
			if err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, x)
		}
		for _, x := range numbers {
			for _, y := range numbers {
				want := new(big.Int).Mul(x, y)
				want.Mul(want, inverse).Mod(want, n)
				var factor nat
				setBytes(factor[:m.k], y.FillBytes(make([]byte, bits/8)))
				got := make([]byte, bits/8)
				m.mulBytes(got, x.FillBytes(make([]byte, bits/8)), factor[:])
				if new(big.Int).SetBytes(got).Cmp(want) != 0 {
					t.Fatalf("%d: %x times %x is %x, not %x", bits, x, y, got, want)
				}
			}
		}
		for x, want := range map[*big.Int]bool{last: true, n: false, big.NewInt(0): true,
			new(big.Int).Sub(r, big.NewInt(1)): false} {
			if m.contains(x.FillBytes(make([]byte, bits/8))) != want {
				t.Errorf("%d: %x is below the modulus: %v", bits, x, !want)
			}
		}
	}
}

// TestAddMul compares the processor's instructions with the general form.
func TestAddMul(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 32, 48, 64} {
		for round := range 50 {
			a, x := make([]uint64, n), make([]uint64, n)
			for i := range a {
				a[i], x[i] = word(t, round), word(t, round)
			}
			b, y := append([]uint64(nil), a...), word(t, round)
			got, want := addMul(a, x, y), addMulGeneric(b, x, y)
			if got != want || fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("%d words: carries %x and %x", n, got, want)
			}
		}
	}
}

// word is random, or all ones in the first round.
func word(t *testing.T, round int) uint64 {
	if round == 0 {
		return 1<<64 - 1
	}
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(b).Uint64()
}

// BenchmarkBlinding is what a private operation in a batch pays for its two factors.
func BenchmarkBlinding(b *testing.B) {
	for _, bits := range Sizes {
		b.Run(fmt.Sprint(bits), func(b *testing.B) {
			blinding := newBlinding(testKey(bits).N)
			number := make([]byte, bits/8)
			number[5] = 1
			var f factors
			for b.Loop() {
				blinding.next(&f)
				blinding.modulus.mulBytes(number, number, f.in[:])
				blinding.modulus.mulBytes(number, number, f.out[:])
			}
		})
	}
}
