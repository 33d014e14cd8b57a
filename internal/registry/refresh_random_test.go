package registry_test

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

// randomChanges makes changes of all kinds of rows that lanes are made of.
type randomChanges struct {
	t     *testing.T
	s     *registry.Session
	rng   *rand.Rand
	spki  map[string][]byte
	count int

	tokens, accounts []string
}

const (
	somePartners = 6
	someKeys     = 5
)

func (r *randomChanges) partner() string { return fmt.Sprintf("p%d", r.rng.IntN(somePartners)) }

func (r *randomChanges) environment() string {
	return []string{"DEV", "SANDBOX", "PROD"}[r.rng.IntN(3)]
}

func (r *randomChanges) profile() string { return []string{"riskos", "ours", "missing"}[r.rng.IntN(3)] }

func (r *randomChanges) state() registry.State {
	return []registry.State{registry.Staged, registry.Active, registry.Retiring, registry.Retired}[r.rng.IntN(4)]
}

func (r *randomChanges) id(prefix string) string {
	r.count++
	return fmt.Sprintf("%s-%d", prefix, r.count)
}

// step makes one change, whose record has the rows that it stored.
func (r *randomChanges) step() {
	r.t.Helper()
	partner, environment := r.partner(), r.environment()
	err := r.s.Change(r.t.Context(), registry.Entry{Action: registry.ActionBackup, Subject: "x/y"},
		func(tx registry.Tx, _ *registry.Entry) error {
			if err := tx.PutSetting("s", []byte(r.id("value"))); err != nil { // a record without rows is of everything
				return err
			}
			for range 1 + r.rng.IntN(3) {
				if err := r.change(tx, partner, environment); err != nil && !errors.Is(err, registry.ErrNotFound) {
					return err
				}
			}
			return nil
		})
	must(r.t, err)
}

func (r *randomChanges) change(tx registry.Tx, partner, environment string) error {
	p, err := tx.Partner(partner)
	if errors.Is(err, registry.ErrNotFound) {
		p = registry.Partner{ID: partner, Name: partner, Profile: r.profile(), Side: sealane.ServerSide}
		err = tx.PutPartner(&p)
	}
	if err != nil {
		return err
	}
	e, err := tx.Environment(partner, environment)
	if errors.Is(err, registry.ErrNotFound) {
		e = environmentOf(partner, environment)
		err = tx.PutEnvironment(&e)
	}
	if err != nil {
		return err
	}
	switch r.rng.IntN(8) {
	case 0:
		p.Profile, p.Archived = r.profile(), time.Time{}
		if r.rng.IntN(3) == 0 {
			p.Archived = time.Now()
		}
		return tx.PutPartner(&p)
	case 1:
		e.URL = "https://" + r.id("host") + ".example"
		if e.Account = r.id("account"); r.rng.IntN(2) == 0 {
			e.Account = ""
		}
		r.accounts = append(r.accounts, e.Account)
		return tx.PutEnvironment(&e)
	case 2:
		token := r.id("token")
		r.tokens = append(r.tokens, token)
		k := registry.APIKey{ID: r.id("a"), Partner: partner, Environment: environment}
		k.Sealing = sealane.SealingRequired
		must(r.t, r.s.Registry().Bind(tx, &k, token))
		return tx.PutAPIKey(&k)
	case 3:
		keys, err := tx.APIKeys(partner, environment)
		if err != nil || len(keys) == 0 {
			return err
		}
		keys[0].Revoked = time.Now()
		return tx.PutAPIKey(&keys[0])
	case 4, 5:
		return r.pair(tx, p, environment)
	case 6:
		return r.certificate(tx, p, environment)
	default:
		source := strings.Replace(string(ownDialect(r.t, "ours")), "\n", "\n# "+r.id("comment")+"\n", 1)
		return tx.PutProfile("ours", []byte(source))
	}
}

// pair adds a key pair, of the partner or shared by all, or changes one; or the partner confirms it.
func (r *randomChanges) pair(tx registry.Tx, p registry.Partner, environment string) error {
	shared := r.rng.IntN(2) == 0
	q := registry.KeyPairQuery{Profile: p.Profile, Environment: environment, Partner: p.ID}
	if shared {
		q.Partner, q.Shared = "", true
	}
	pairs, err := tx.KeyPairs(q)
	if err != nil {
		return err
	}
	if len(pairs) < 2 {
		key := fmt.Sprintf("refresh %d", r.rng.IntN(someKeys))
		k := registry.KeyPair{ID: r.id("raw"), Profile: p.Profile, Partner: q.Partner, Environment: environment,
			KeyID: key, State: r.state(), SPKI: r.spki[key], SPKISHA256: sumOf(r.spki[key]), Sealed: []byte("1")}
		return tx.PutKeyPair(&k)
	}
	k, err := tx.KeyPair(pairs[r.rng.IntN(len(pairs))].ID)
	if err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 {
		k.State, k.SealedAs = r.state(), k.SealedAs+1
		return tx.PutKeyPair(&k)
	}
	offer := registry.Offer{KeyPair: k.ID, Partner: p.ID, At: time.Now(), Confirmed: time.Now()}
	offers, err := tx.Offers(p.ID)
	if err != nil {
		return err
	}
	for _, o := range offers {
		if o.KeyPair == k.ID {
			offer.Version = o.Version
		}
	}
	return tx.PutOffer(&offer)
}

func (r *randomChanges) certificate(tx registry.Tx, p registry.Partner, environment string) error {
	there, err := tx.Certificates(registry.CertificateQuery{Partner: p.ID, Environment: environment})
	if err != nil {
		return err
	}
	if len(there) > 2 {
		c, err := tx.Certificate(there[r.rng.IntN(len(there))].ID)
		if err != nil {
			return err
		}
		c.State = r.state()
		return tx.PutCertificate(&c)
	}
	key := fmt.Sprintf("refresh %d", r.rng.IntN(someKeys))
	leaf, _ := issued(r.t, testkey.RSA(r.t, key, 2048).Public(), nil)
	c := registry.NewCertificate(registry.Certificate{Owner: registry.Theirs, Partner: p.ID, Profile: p.Profile,
		Environment: environment, KeyID: key, State: r.state()}, []*x509.Certificate{leaf})
	c.ID = r.id("c")
	return tx.PutCertificate(&c)
}

func sumOf(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:]
}

// told returns all that a snapshot tells.
func (r *randomChanges) told(s *lanes.Snapshot) string {
	var lines []string
	add := func(what string, lane *sealane.Lane, err error) {
		line := fmt.Sprintf("%s: %v", what, err)
		if lane != nil {
			line += fmt.Sprint(lane.Name(), lane.Sealing(), lane.Profile().Name())
			line += fmt.Sprint(ringOf(lane.Ours()), ringOf(lane.Theirs()))
		}
		lines = append(lines, line)
	}
	for name := range s.Names() {
		lane, err := s.Lane(name)
		add("lane "+name.String(), lane, err)
		url, err := s.URL(name)
		lines = append(lines, fmt.Sprint("url ", name, url, err))
	}
	slices.Sort(lines)
	for _, token := range r.tokens {
		lane, id, err := s.ByAPIKey(token)
		add("key "+id, lane, err)
	}
	for _, account := range r.accounts {
		lane, err := s.ByAccount(account)
		add("account "+account, lane, err)
	}
	return strings.Join(append(lines, fmt.Sprint(s.Len(), s.Damaged(), s.Version)), "\n")
}

func ringOf(keys []keyring.KeyInfo) (text string) {
	for _, k := range keys {
		text += fmt.Sprint(" ", k.ID, k.State)
	}
	return text
}

// After any changes, a snapshot that was refreshed tells the same as one that was read anew.
func TestRefreshedIsAsReadAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		seed := uint64(time.Now().UnixNano())
		if given := os.Getenv("SEALANE_TEST_SEED"); given != "" {
			_, err := fmt.Sscan(given, &seed)
			must(t, err)
		}
		refreshed(t, address, seed)
	})
	// A shared pair was confirmed while it was staged, and then became active.
	refreshed(t, "sqlite:"+filepath.Join(t.TempDir(), "known.db"), 1796055943046811069)
}

func refreshed(t *testing.T, address string, seed uint64) {
	s, _ := founded(t, address)
	r := &randomChanges{t: t, s: s.WithReason("test"), spki: map[string][]byte{}}
	r.rng = rand.New(rand.NewPCG(seed, 1))
	for i := range someKeys {
		name := fmt.Sprintf("refresh %d", i)
		var err error
		r.spki[name], err = x509.MarshalPKIXPublicKey(&testkey.RSA(t, name, 2048).PublicKey)
		must(t, err)
	}
	n := newNode(t, s)
	some := newNode(t, s)
	some.Environments = []string{"DEV", "PROD"}
	for i := range 60 {
		r.step()
		if i%3 == 0 {
			r.step()
		}
		n.refresh(t)
		some.refresh(t)
		if n.extent.Whole {
			t.Fatalf("SEALANE_TEST_SEED=%d: step %d: all was read: %+v", seed, i, n.extent)
		}
		for _, one := range []*node{n, some} {
			anew, err := one.Read(t.Context(), time.Now())
			must(t, err)
			if got, want := r.told(one.now), r.told(anew); got != want {
				t.Fatalf("SEALANE_TEST_SEED=%d: step %d: refreshed\n%s\nread anew\n%s", seed, i, got, want)
			}
		}
		checked, missed, err := n.Check(t.Context(), n.now, time.Now())
		must(t, err)
		if len(missed) > 0 {
			t.Fatalf("SEALANE_TEST_SEED=%d: step %d: missed %q", seed, i, missed)
		}
		n.now = checked
	}
	for name := range some.now.Names() {
		if name.Environment == "SANDBOX" {
			t.Errorf("%s was read", name)
		}
	}
	if n.now.Len() < 4 {
		t.Errorf("only %d lanes", n.now.Len())
	}
}
