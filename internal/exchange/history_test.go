package exchange_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// Whatever happens to pairs of ours, in whatever order and with whatever clock, lanes, status, the
// pairs of a partner and those who rely on a pair agree. The active one is the pair in use that the
// partner has confirmed last.
func TestRandomHistoriesOfOurPairs(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			onBoth(t, func(t *testing.T, address func() string) {
				h := &history{
					company: newCompany(t, address()), random: rand.New(rand.NewPCG(seed, 7)),
					said: map[string][]string{},
				}
				for _, p := range h.partners() {
					h.partner(p, "riskos", sealane.ServerSide, "DEV", "PROD")
				}
				for i := range 60 {
					what := h.step()
					h.check(fmt.Sprintf("%d: %s", i, what))
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}

// history is a registry to which things happen at random.
type history struct {
	*company
	random *rand.Rand
	pairs  []string
	// said are the confirmations of each partner that have not been taken back, the last one last.
	said map[string][]string
}

func (h *history) partners() []string { return []string{"p1", "p2", "p3"} }

// step does something that may be refused, and says what.
func (h *history) step() string {
	ctx, s := h.t.Context(), h.anna.WithReason("at random")
	h.now = h.now.Add(time.Duration(h.random.IntN(7)-3) * time.Minute)
	partner := h.partners()[h.random.IntN(3)]
	if len(h.pairs) == 0 || h.random.IntN(5) == 0 && len(h.pairs) < 12 {
		return h.add(partner)
	}
	id := h.pairs[h.random.IntN(len(h.pairs))]
	for range 3 { // rather one that is in use
		if !h.pairState(id).InUse() {
			id = h.pairs[h.random.IntN(len(h.pairs))]
		}
	}
	var err error
	what := ""
	switch h.random.IntN(12) {
	case 0, 1, 2:
		what = "offer"
		_, err = s.Offer(ctx, pairWith(id, partner))
	case 3, 4, 5, 6:
		what = "installed"
		if err = s.MarkInstalled(ctx, pairWith(id, partner)); err == nil {
			h.forget(partner, id)
			h.said[partner] = append(h.said[partner], id)
		}
	case 7:
		what = "retired"
		err = s.Retire(ctx, id, false)
	case 8:
		what = "retired as the last"
		err = s.Retire(ctx, id, h.random.IntN(4) == 0)
	case 9:
		what = "withdrawn"
		err = s.Withdraw(ctx, pairWith(id, partner))
	case 10:
		before := h.pairState(id)
		if _, err = s.Undo(ctx, id, partner); err == nil && before == registry.Active {
			h.forget(partner, id)
		}
		what = "undone from " + string(before)
	case 11:
		if what = "revoked"; h.random.IntN(3) == 0 {
			err = s.Revoke(ctx, id)
		}
	}
	return fmt.Sprintf("%s %s with %s: %v", what, id, partner, err)
}

// add makes or imports a pair, for a partner or for all.
func (h *history) add(partner string) string {
	n := registry.NewPair{Profile: "riskos", Environment: "PROD", Bits: 2048, Subject: subject, Renewal: true}
	if h.random.IntN(4) == 0 {
		n.Environment = "DEV"
	}
	switch h.random.IntN(3) {
	case 0:
		n.Partner = partner
	case 1:
		n.Renewal, n.Installed = false, []string{partner}
	}
	key := fresh(h.t, fmt.Sprint("history ", len(h.pairs)))
	file, err := keyfile.Parse(made(h.t, key, signsToo))
	h.must(err)
	k, _, err := h.anna.WithReason("the migration").ImportKeyPair(h.t.Context(), n, key, file.Certificates)
	if err == nil {
		h.pairs = append(h.pairs, k.ID)
		if n.Installed != nil {
			h.said[partner] = append(h.said[partner], k.ID)
		}
	}
	return fmt.Sprintf("a pair %s of %q in %s, with %v before: %v", k.ID, n.Partner, n.Environment, n.Installed, err)
}

func (h *history) forget(partner, id string) {
	h.said[partner] = slices.DeleteFunc(h.said[partner], func(one string) bool { return one == id })
}

func (h *history) pairState(id string) (state registry.State) {
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		k, err := tx.KeyPair(id)
		state = k.State
		return err
	}))
	return state
}

// check compares all that tells the states of pairs, and those with what was said.
func (h *history) check(after string) {
	h.t.Helper()
	snapshot, err := h.Snapshot(h.t.Context())
	h.must(err)
	for _, env := range []string{"DEV", "PROD"} {
		relying := map[string][]string{}
		for _, p := range h.partners() {
			lane, err := snapshot.Lane(named(p, env))
			h.must(err)
			inLane := map[string]string{}
			for _, k := range lane.Ours() {
				inLane[k.ID] = k.State.String()
			}
			h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
				partner, err := tx.Partner(p)
				h.must(err)
				pairs, err := registry.PairsFor(tx, partner, env)
				h.must(err)
				active, usable := "", 0
				for _, k := range pairs {
					if inLane[k.KeyID] != string(k.State) {
						h.t.Errorf("%s: %s of %s in %s is %s, and %q in the lane", after, k.ID, p, env, k.State,
							inLane[k.KeyID])
					}
					if k.State == registry.Active {
						if active != "" {
							h.t.Errorf("%s: %s and %s are active for %s in %s", after, active, k.ID, p, env)
						}
						active = k.ID
					}
					if k.State != registry.Staged {
						usable++
					}
				}
				if len(inLane) != len(pairs) {
					h.t.Errorf("%s: %d pairs of %s in %s, and %d in the lane", after, len(pairs), p, env, len(inLane))
				}
				for _, k := range pairs {
					if k.Partner == "" && (k.ID == active || k.State == registry.Retiring && usable == 1) {
						relying[k.ID] = append(relying[k.ID], p)
					}
				}
				if want := h.lastSaid(tx, p, env); active != want {
					h.t.Errorf("%s: %q is active for %s in %s, and the last confirmed is %q", after, active, p, env,
						want)
				}
				return nil
			}))
			h.sameInStatus(after, p, env, inLane)
		}
		h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
			for _, id := range h.pairs {
				k, err := tx.KeyPair(id)
				h.must(err)
				if k.Partner != "" || k.Environment != env {
					continue
				}
				got, err := tx.Relying(k, 100)
				h.must(err)
				if !slices.Equal(got, relying[id]) {
					h.t.Errorf("%s: %v rely on %s in %s, and it is needed by %v", after, got, id, env, relying[id])
				}
			}
			return nil
		}))
	}
}

// lastSaid returns the pair that a partner confirmed last, of those that are active.
func (h *history) lastSaid(tx registry.Reader, partner, env string) string {
	for _, id := range slices.Backward(h.said[partner]) {
		k, err := tx.KeyPair(id)
		h.must(err)
		if k.Environment == env && k.State == registry.Active {
			return id
		}
	}
	return ""
}

// sameInStatus compares the states of a lane with those that status shows.
func (h *history) sameInStatus(after, partner, env string, inLane map[string]string) {
	h.t.Helper()
	steps, err := exchange.Status(h.t.Context(), h.viewer(), named(partner, env))
	h.must(err)
	for _, s := range steps {
		if got := cmp.Or(inLane[s.KeyID], string(s.State)); got != string(s.State) {
			h.t.Errorf("%s: %s of %s in %s is %s in status, and %s in the lane", after, s.KeyPair, partner, env,
				s.State, got)
		}
	}
}
