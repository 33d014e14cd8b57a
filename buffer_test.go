package sealane_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// TestBuffers seals and opens in buffers of every kind: none, too small, just large enough,
// far too large, with existing content.
func TestBuffers(t *testing.T) {
	customer, provider := riskos(t)
	rdx, ingress := vcas(t, alias, "issuer"), issuer(t, keyring.Key{
		State:   keyring.Active,
		ID:      alias,
		Private: testkey.RSA(t, "issuer", 2048),
	})
	sizes := []int{0, 1, 2, 3, 4, 11, 12, 13, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 100, 191, 192, 193, 1000,
		6143, 6144, 6145, 8192, 12288, 20_000, 100_003}
	for _, ends := range [][2]*sealane.Lane{{customer, provider}, {rdx, ingress}} {
		for _, size := range sizes {
			payload := make([]byte, size)
			rand.Read(payload)
			before := bytes.Clone(payload)
			for _, dst := range [][]byte{nil, make([]byte, 0, 10), []byte("front:"),
				append(make([]byte, 0, 6+ends[0].SealedLen(size)), "front:"...),
				append(make([]byte, 0, 1<<20), "front:"...)} {
				front := string(dst)
				got, err := ends[0].AppendSeal(t.Context(), dst, payload)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(payload, before) {
					t.Fatal("sealing changed the payload")
				}
				if cap(dst) >= len(front)+ends[0].SealedLen(size) && &got[:1][0] != &dst[:1][0] {
					t.Errorf("%d bytes: a buffer of SealedLen was not used", size)
				}
				token, ok := bytes.CutPrefix(got, []byte(front))
				if !ok || len(token) > ends[0].SealedLen(size) {
					t.Fatalf("%d bytes: the token has %d, SealedLen is %d", size, len(token), ends[0].SealedLen(size))
				}
				text := bytes.Clone(token)
				message, err := ends[1].OpenMessage(t.Context(), token)
				if err != nil || !bytes.Equal(message.Payload(), payload) {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if !bytes.Equal(token, text) {
					t.Fatal("opening changed the token")
				}
			}
		}
	}
}

// TestFewAllocations: one buffer for the token and one for the payload; their number does
// not grow with the message.
func TestFewAllocations(t *testing.T) {
	customer, provider := riskos(t)
	var counts [2][2]float64
	for i, size := range []int{1 << 10, 1 << 20} {
		payload := []byte(strings.Repeat("x", size))
		token := seal(t, customer, string(payload))
		dst := make([]byte, 0, customer.SealedLen(size))
		counts[i][0] = testing.AllocsPerRun(5, func() { customer.AppendSeal(t.Context(), dst, payload) })
		counts[i][1] = testing.AllocsPerRun(5, func() { provider.Open(t.Context(), token) })
	}
	for what, name := range []string{"sealing", "opening"} {
		if small, large := counts[0][what], counts[1][what]; large > small+4 || small > 120 {
			t.Errorf("%s: %v allocations for 1 KiB, %v for 1 MiB", name, small, large)
		}
	}
}

func benchmarkSize(b *testing.B, size int, open bool) {
	customer, provider := riskos(b)
	payload := []byte(strings.Repeat("x", size))
	token := seal(b, customer, string(payload))
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		var err error
		if open {
			_, err = provider.Open(b.Context(), token)
		} else {
			_, err = customer.Seal(b.Context(), payload)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal10MiB(b *testing.B) { benchmarkSize(b, 10<<20, false) }
func BenchmarkOpen10MiB(b *testing.B) { benchmarkSize(b, 10<<20, true) }

// TestOwnBuffer: the caller's buffer may be that of the input.
func TestOwnBuffer(t *testing.T) {
	customer, provider := riskos(t)
	for _, size := range []int{2, 100, 2000, 100_000} {
		payload := []byte(strings.Repeat(".1", size/2))
		buffer := append(make([]byte, 0, 10+customer.SealedLen(size)), payload...)
		token, err := customer.AppendSeal(t.Context(), buffer[:0], buffer)
		if err != nil {
			t.Fatal(err)
		}
		message, err := provider.Open(t.Context(), token)
		if err != nil || !bytes.Equal(message.Payload(), payload) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestPayloadEnds: appending to a payload does not write into the rest of the buffer.
func TestPayloadEnds(t *testing.T) {
	customer, provider := riskos(t)
	payload := strings.Repeat("SECRET ", 100)
	message, err := provider.Open(t.Context(), seal(t, customer, payload))
	if err != nil || cap(message.Payload()) != len(payload) {
		t.Errorf("capacity %d, %v", cap(message.Payload()), err)
	}
}

// TestLimitOfUnsigned: MaxPayload is exact in directions without a signature, too.
func TestLimitOfUnsigned(t *testing.T) {
	c := issuerConfig(t, keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)})
	c.MaxPayload = 100
	l := testlane.New(t, c)
	if _, err := l.OpenUnverified(t.Context(),
		seal(t, vcas(t, alias, "issuer"), strings.Repeat("x", 100))); err != nil {
		t.Error(err)
	}
	if m, err := l.OpenUnverified(t.Context(),
		seal(t, vcas(t, alias, "issuer"), strings.Repeat("x", 101))); !errors.Is(err, sealane.ErrTooLarge) ||
		m != nil {
		t.Error(err)
	}
}
