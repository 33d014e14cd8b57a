package store_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// BenchmarkStore reads registries of three sizes: so many partners with an
// environment, an API key, and three certificates each, of which two are in use.
// The largest takes minutes to fill.
func BenchmarkStore(b *testing.B) {
	for _, d := range databases {
		b.Run("db="+d.name, func(b *testing.B) {
			for _, partners := range []int{1_000, 10_000, 100_000} {
				b.Run("rows="+strconv.Itoa(partners/1000)+"k", func(b *testing.B) {
					s := open(b, d.address(b))
					start := time.Now()
					for from := 0; from < partners; from += 10_000 {
						update(b, s, func(tx registry.Tx) error { return fill(tx, from, min(from+10_000, partners)) })
					}
					b.Logf("%d partners put in %v", partners, time.Since(start).Round(time.Millisecond))
					reads(b, s, partners)
				})
			}
		})
	}
}

func reads(b *testing.B, s *store.Store, partners int) {
	rng := rand.New(rand.NewPCG(1, 2))
	some := func() int { return rng.IntN(partners) }
	for _, c := range []struct {
		name string
		look func(registry.Reader) error
	}{
		{"page of partners", func(tx registry.Reader) error {
			got, err := tx.Partners(registry.Page{After: benchPartner(some())})
			return all(err, atLeast(len(got), 0))
		}},
		{"certificates by key ID", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{
				KeyID: benchKeyID(some()), States: []registry.State{registry.Active}})
			return all(err, atLeast(len(got), 1))
		}},
		{"API key by SHA-256", func(tx registry.Reader) error {
			_, err := tx.APIKeyByHMAC(benchBytes(some(), "api key"))
			return err
		}},
		{"certificate by fingerprint", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{SHA256: benchBytes(some(), "certificate 1")})
			return all(err, atLeast(len(got), 1))
		}},
		{"certificate by public key", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{
				Owner: registry.Theirs, SPKISHA256: benchBytes(some(), "spki 1"), States: registry.StatesAlive})
			return all(err, atLeast(len(got), 1))
		}},
		{"certificates of a partner in use", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{
				Owner: registry.Theirs, Partner: benchPartner(some()), Environment: "PROD",
				States: registry.StatesInUse})
			return all(err, atLeast(len(got), 2))
		}},
		{"page of active certificates", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{
				Page:   registry.Page{After: fmt.Sprintf("%02x", rng.IntN(128))},
				States: []registry.State{registry.Active, registry.Retiring}})
			return all(err, atLeast(len(got), 100))
		}},
		{"certificates that expire soon", func(tx registry.Reader) error {
			got, err := tx.Certificates(registry.CertificateQuery{
				NotAfterBefore: noon.Add(3 * 24 * time.Hour),
				States:         []registry.State{registry.Active, registry.Retiring}})
			return all(err, atLeast(len(got), 1))
		}},
		{"lanes", func(tx registry.Reader) error {
			rows := tx.Lanes()
			n := 0
			err := all(count(rows.Partners(), &n), count(rows.Environments(), &n), count(rows.APIKeys(), &n),
				count(rows.Confirmations(), &n), count(rows.KeyPairs(), &n), count(rows.Certificates(), &n),
				count(rows.OwnCertificates(), &n))
			return all(err, atLeast(n, partners*5))
		}},
		{"public keys", func(tx registry.Reader) error {
			n := 0
			return all(count(tx.PublicKeys(0), &n), atLeast(n, partners*3))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				view(b, s, c.look)
			}
		})
	}
}

// count adds the number of rows to n.
func count[T any](rows iter.Seq2[T, error], n *int) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
		*n++
	}
	return nil
}

func atLeast(got, want int) error {
	if got < want {
		return fmt.Errorf("%d rows, want %d", got, want)
	}
	return nil
}

func benchPartner(i int) string { return fmt.Sprintf("partner-%06d", i) }
func benchKeyID(i int) string   { return fmt.Sprintf("key-%06d", i) }

// benchCertificate is the identity of the n-th certificate of a partner.
func benchCertificate(i, n int) string {
	return fmt.Sprintf("%x", benchBytes(i, "id "+strconv.Itoa(n)))[:32]
}

// benchBytes are different for each number and purpose, and always the same.
func benchBytes(i int, purpose string) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(purpose), uint64(i)))
	return h[:]
}

// random bytes of a length stand for DER, moduli and the like.
func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func fill(tx registry.Tx, from, to int) error {
	rng := rand.New(rand.NewPCG(uint64(from), 3))
	for i := from; i < to; i++ {
		name := benchPartner(i)
		p := registry.Partner{ID: name, Name: "Partner", Profile: "riskos", Side: sealane.ServerSide, Created: noon}
		e := registry.Environment{Partner: name, Name: "PROD", Sealing: sealane.SealingRequired, Created: noon,
			Contacts: []registry.Contact{{Role: registry.Primary, Name: "Ada", Email: "ada@example.com"}}}
		k := registry.APIKey{ID: name + "-key", Partner: name, Environment: "PROD", Prefix: "sl_abc",
			Sealing: sealane.SealingRequired, HMAC: benchBytes(i, "api key"), Created: noon}
		if err := all(tx.PutPartner(&p), tx.PutEnvironment(&e), tx.PutAPIKey(&k)); err != nil {
			return err
		}
		for n, state := range []registry.State{registry.Retired, registry.Active, registry.Staged} {
			c := registry.Certificate{
				ID: benchCertificate(i, n), Owner: registry.Theirs,
				Partner: name, Profile: "riskos",
				Environment: "PROD", KeyID: benchKeyID(i), State: state, CommonName: name, Issuer: "CN=CA",
				Serial: "0a", Bits: 2048,
				NotBefore: noon, NotAfter: noon.Add(time.Duration(rng.IntN(3*365)) * 24 * time.Hour),
				SHA256:     benchBytes(i, "certificate "+strconv.Itoa(n)),
				SPKISHA256: benchBytes(i, "spki "+strconv.Itoa(n)),
				SPKI:       random(rng, 294), DER: random(rng, 1000), Created: noon, Changed: noon,
				Provenance: registry.Provenance{File: random(rng, 1400), Format: "pem", ReceivedBy: "ada"},
			}
			if err := tx.PutCertificate(&c); err != nil {
				return err
			}
		}
	}
	return nil
}
