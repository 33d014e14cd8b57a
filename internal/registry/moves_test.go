package registry_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var errNothing = errors.New("nothing is kept")

// TestMovesOfCertificates: a partner's certificate moves from state to state in these ways and no
// other. Those of the second list take a step back.
func TestMovesOfCertificates(t *testing.T) {
	type states = []registry.State
	const (
		received, matched, approved = registry.Received, registry.Matched, registry.Approved
		staged, active, retiring    = registry.Staged, registry.Active, registry.Retiring
		retired, rejected           = registry.Retired, registry.Rejected
		compromised, expired        = registry.Compromised, registry.Expired
	)
	forward := map[registry.State]states{
		received: {matched, rejected, compromised, expired},
		matched:  {received, approved, rejected, compromised, expired},
		approved: {received, staged, active, rejected, compromised, expired},
		staged:   {active, retired, compromised, expired},
		active:   {retiring, retired, compromised, expired},
		retiring: {active, retired, compromised, expired},
	}
	back := map[registry.State]states{
		matched: {received}, approved: {matched}, staged: {approved}, rejected: {received, matched},
		retired: {retiring}, active: {staged},
	}
	s := openSession(t)
	for name, move := range map[string]struct {
		allowed map[registry.State]states
		do      func(registry.Tx, *registry.Certificate, registry.State) error
	}{"forward": {forward, s.MoveCertificate}, "back": {back, s.ReturnCertificate}} {
		for _, from := range registry.States() {
			for _, to := range registry.States() {
				tries(t, s, func(tx registry.Tx) {
					c := certificateIn(from)
					must(t, tx.PutCertificate(&c))
					err := move.do(tx, &c, to)
					may := slices.Contains(move.allowed[from], to)
					if may != (err == nil) || may && c.State != to || !may && c.State != from {
						t.Errorf("%s, from %s to %s: it is %s, %v", name, from, to, c.State, err)
					}
					if may && to == active && c.Activated.IsZero() || to != active && !c.Activated.IsZero() {
						t.Errorf("%s, from %s to %s: activated at %s", name, from, to, c.Activated)
					}
				})
			}
		}
	}
}

// TestMovesOfKeyPairs: the same for pairs of ours. A revocation ends those that are in use, and the
// private key of a destroyed pair is gone.
func TestMovesOfKeyPairs(t *testing.T) {
	s := openSession(t).WithReason("a test of moves")
	ctx := t.Context()
	back := map[registry.State][]registry.State{
		registry.Active: {registry.Staged}, registry.Retired: {registry.Staged, registry.Retiring},
		registry.Expired: {registry.Staged, registry.Retiring},
	}
	for _, from := range registry.States() {
		for _, to := range registry.States() {
			tries(t, s, func(tx registry.Tx) {
				k := pairIn(t, tx, from)
				err := s.ReturnPair(tx, &k, to)
				if may := slices.Contains(back[from], to); may != (err == nil) || may && k.State != to {
					t.Errorf("back from %s to %s: it is %s, %v", from, to, k.State, err)
				}
			})
		}
		tries(t, s, func(tx registry.Tx) {
			k := pairIn(t, tx, from)
			if err := s.RetireOffer(tx, &k); (err == nil) != (from == registry.Staged) {
				t.Errorf("the offer of a %s pair: %v", from, err)
			}
		})
	}
	inUse := []registry.State{registry.Staged, registry.Active, registry.Retiring}
	forward := map[registry.State][]registry.State{
		registry.Active:      {registry.Staged, registry.Retiring},
		registry.Retired:     inUse,
		registry.Destroyed:   {registry.Retired, registry.Expired, registry.Compromised},
		registry.Compromised: inUse,
	}
	for to, allowed := range forward {
		ended := []registry.State{registry.Retired, registry.Expired, registry.Compromised, registry.Destroyed}
		for _, from := range slices.Concat(inUse, ended) {
			id := string("k-" + from + "-" + to)
			must(t, s.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "pair/" + id},
				func(tx registry.Tx, _ *registry.Entry) error {
					pairNamed(t, tx, id, from)
					return nil
				}))
			err := s.MovePair(ctx, id, to, true)
			want, may := from, slices.Contains(allowed, from)
			if may {
				want = to
			}
			var k registry.KeyPair
			var c registry.Certificate
			must(t, s.View(ctx, func(tx registry.Reader) (err error) {
				if k, err = tx.KeyPair(id); err == nil {
					c, err = tx.Certificate(k.Certificate)
				}
				return err
			}))
			refusal := !may && to != registry.Compromised // a revocation also blocks the key
			if k.State != want || c.State != want || refusal != (err != nil) {
				t.Errorf("from %s to %s: it is %s and its certificate %s, %v", from, to, k.State, c.State, err)
			}
			if gone := len(k.Sealed) == 0 && k.RootKey == ""; gone != (want == registry.Destroyed && from != want) {
				t.Errorf("from %s to %s: the private key is gone: %t", from, to, gone)
			}
		}
	}
}

// tries does something in a change of which nothing is kept.
func tries(t *testing.T, s *registry.Session, do func(registry.Tx)) {
	t.Helper()
	entry := registry.Entry{Action: registry.ActionBackup, Subject: "none"}
	err := s.WithReason("a test of moves").Change(t.Context(), entry,
		func(tx registry.Tx, _ *registry.Entry) error {
			do(tx)
			return errNothing
		})
	if !errors.Is(err, errNothing) {
		t.Fatal(err)
	}
}

func certificateIn(state registry.State) registry.Certificate {
	sum := sha256.Sum256([]byte("certificate " + state))
	return registry.Certificate{
		ID: "c-" + string(state), Owner: registry.Theirs, Profile: "riskos", Environment: "PROD", State: state,
		SHA256: sum[:], SPKI: sum[:], SPKISHA256: sum[:],
	}
}

func pairIn(t *testing.T, tx registry.Tx, state registry.State) registry.KeyPair {
	t.Helper()
	return pairNamed(t, tx, "k-"+string(state), state)
}

// pairNamed stores a pair that all partners share, with its certificate.
func pairNamed(t *testing.T, tx registry.Tx, id string, state registry.State) registry.KeyPair {
	t.Helper()
	c := certificateIn(state)
	sum := sha256.Sum256([]byte(id))
	c.ID, c.Owner, c.KeyPair, c.SHA256, c.SPKISHA256 = "c-of-"+id, registry.Ours, id, sum[:], sum[:]
	c.NotAfter = time.Now().AddDate(1, 0, 0)
	must(t, tx.PutCertificate(&c))
	k := registry.KeyPair{
		ID: id, Profile: "riskos", Environment: "PROD", State: state, Certificate: c.ID,
		SPKI: sum[:], SPKISHA256: sum[:],
		Sealed: []byte("sealed"), RootKey: "root",
	}
	must(t, tx.PutKeyPair(&k))
	return k
}
