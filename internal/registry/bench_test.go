package registry_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// BenchmarkSnapshot is what a start costs: all lanes read, none put together yet.
// Each partner has one environment, an API key, three certificates, two of them in
// use, and has confirmed the key pair that all share.
func BenchmarkSnapshot(b *testing.B) {
	for name, address := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") },
		"postgres": pgtest.URL,
	} {
		for _, partners := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("db=%s/partners=%d", name, partners),
				func(b *testing.B) { benchmarkSnapshot(b, address(b), partners) })
		}
	}
}

func benchmarkSnapshot(b *testing.B, address string, partners int) {
	s, _ := founded(b, address)
	r, db := s.Registry(), s.Registry().Store
	meddled.Store(b.Name(), 1000) // they have no records
	must(b, db.Update(b.Context(), func(tx registry.Tx) error {
		empty := sha256.Sum256(nil)
		return tx.PutKeyPair(&registry.KeyPair{ID: "shared", Profile: "riskos", Environment: "PROD",
			State: registry.Active, Certificate: "c-shared", SPKISHA256: empty[:]})
	}))
	const batch = 1000
	for from := 0; from < partners; from += batch {
		if err := db.Update(b.Context(), func(tx registry.Tx) error {
			return errors.Join(fill(r, tx, from, from+batch), confirm(tx, from, from+batch))
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		snapshot, err := r.Snapshot(b.Context())
		if err != nil || snapshot.Len() != partners || len(snapshot.Damaged()) > 0 {
			b.Fatal(snapshot.Len(), snapshot.Damaged()[:min(3, len(snapshot.Damaged()))], err)
		}
	}
}

// BenchmarkSharedPrimes measures the search for shared primes when certificates arrive, one and many
// at a time.
func BenchmarkSharedPrimes(b *testing.B) {
	for _, partners := range []int{3_000, 30_000} {
		s, _ := founded(b, "sqlite:"+filepath.Join(b.TempDir(), "registry.db"))
		r := s.Registry()
		meddled.Store(b.Name(), 1000) // they have no records
		must(b, r.Store.Update(b.Context(), func(tx registry.Tx) error { return fill(r, tx, 0, partners) }))
		for _, n := range []int{1, 8192} {
			keys := make([]*rsa.PublicKey, n)
			for i := range keys {
				keys[i] = &rsa.PublicKey{N: syntheticModulus(), E: 65537}
			}
			b.Run(fmt.Sprintf("known=%d/keys=%d", 3*partners, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := r.SharedPrimes(b.Context(), keys); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N)/float64(n), "ms/key")
			})
		}
	}
}

func confirm(tx registry.Tx, from, to int) error {
	for i := from; i < to; i++ {
		if err := tx.PutOffer(&registry.Offer{KeyPair: "shared", Partner: fmt.Sprintf("partner-%06d", i),
			At: time.Now(), Confirmed: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// fill adds partners whose keys are synthetic: random moduli that nobody uses. It needs the key of API
// keys.
func fill(r *registry.Registry, tx registry.Tx, from, to int) error {
	for i := from; i < to; i++ {
		id := fmt.Sprintf("partner-%06d", i)
		key := &registry.APIKey{ID: "a-" + id, Partner: id, Environment: "PROD",
			Sealing: sealane.SealingRequired}
		steps := []error{
			tx.PutPartner(&registry.Partner{ID: id, Name: id, Profile: "riskos", Side: sealane.ServerSide}),
			tx.PutEnvironment(&registry.Environment{Partner: id, Name: "PROD", Sealing: sealane.SealingRequired}),
			r.Bind(tx, key, "token of "+id), tx.PutAPIKey(key),
		}
		for _, state := range []registry.State{registry.Active, registry.Retiring, registry.Retired} {
			c := registry.Certificate{ID: "c-" + strings.ToLower(rand.Text()[:10]), Owner: registry.Theirs,
				Partner: id, Profile: "riskos", Environment: "PROD", State: state, KeyID: id + "-" + string(state)}
			if err := synthetic(&c); err != nil {
				return err
			}
			steps = append(steps, tx.PutCertificate(&c))
		}
		for _, err := range steps {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func synthetic(c *registry.Certificate) error {
	pub := &rsa.PublicKey{N: syntheticModulus(), E: 65537}
	var err error
	if c.SPKI, err = x509.MarshalPKIXPublicKey(pub); err != nil {
		return err
	}
	if c.SPKISHA256, err = registry.SPKISum(pub); err != nil {
		return err
	}
	c.DER = syntheticDER(c.SPKI)
	sum := sha256.Sum256(c.DER)
	c.SHA256 = sum[:]
	now := time.Now().UTC()
	c.CommonName, c.Issuer = "keys."+c.Partner+".example", "CN=Issuing CA 4,O=Trust Example,C=FR"
	c.Serial = hex.EncodeToString(sum[:16])
	c.Bits, c.NotBefore, c.NotAfter, c.Created, c.Changed = 2048, now, now.AddDate(1, 0, 0), now, now
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})
	fileSum := sha256.Sum256(file)
	c.Provenance = registry.Provenance{File: file, FileSHA256: fileSum[:],
		Name: c.Partner + ".pem", Format: "PEM certificate", From: "keys@" + c.Partner + ".example",
		ReceivedBy: "anna", MatchedBy: "anna", Checksum: hex.EncodeToString(sum[:]), MatchedAs: "SHA-256",
		ApprovedBy: "ben", Change: "CHG0012345", CallBack: "called J. Doe at +33 1 70 36 39 50, who read the checksum"}
	return nil
}

// syntheticDER has the parts of a certificate that a lane looks at, and its usual size.
func syntheticDER(spki []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			for range 4 {
				b.AddASN1(asn1.SEQUENCE, func(*cryptobyte.Builder) {})
			}
			b.AddBytes(spki)
			b.AddASN1OctetString(make([]byte, 600))
		})
	})
	return b.BytesOrPanic()
}

// syntheticModulus returns a number of about 2,048 bits that has no factor in common with the others:
// a power of a prime.
func syntheticModulus() *big.Int {
	p := primes()[used.Add(1)]
	return new(big.Int).Exp(big.NewInt(p), big.NewInt(int64(2048/bits.Len64(uint64(p)))), nil)
}

var used atomic.Int64

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
