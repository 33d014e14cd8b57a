package renewal_test

import (
	"context"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// looking is a lane in which one leg is renewed, and the partner on its other end. Keys are numbered in the
// order in which they came.
type looking struct {
	*company
	lane    lanes.Name
	profile string
	side    sealane.Side
	leg     registry.Owner   // which is renewed
	ours    []*rsa.PublicKey // of the registry's pairs
	theirs  []*rsa.PrivateKey
	ids     []string // of the leg that is renewed
}

// look is one step of a renewal, and what both sides of the leg may do with its keys after it.
type look struct {
	name string
	act  func(l *looking)
	// uses is the key that what we begin is signed by (ours) or encrypted to (theirs). accepts are those that
	// open (ours) or verify (theirs).
	uses, accepts string
}

// looks are the steps of a renewal of each leg.
var looks = map[registry.Owner][]look{
	registry.Theirs: {
		{"in use", func(*looking) {}, "1", "1"},
		{"approved", func(l *looking) { l.next(720) }, "1", "1"},
		{"staged", func(l *looking) { l.pass() }, "1", "1 2"},
		{"loaded", (*looking).nodePass, "1", "1 2"},
		{"ordered", func(l *looking) { l.must(l.order(l.last(), l.now.Add(time.Hour))) }, "1", "1 2"},
		{"active", func(l *looking) { l.after(time.Hour) }, "2", "1 2"},
		{"rolled back", (*looking).back, "1", "1 2"},
		{"active again", func(l *looking) { l.must(l.order(l.last(), time.Time{})) }, "2", "1 2"},
		{"told", (*looking).confirmed, "2", "1 2"},
		{"quiet", (*looking).quiet, "2", "1 2"},
		{"done", func(l *looking) { l.must(l.retire(l.ids[0])) }, "2", "2"},
		{"undone", func(l *looking) { l.undo(l.ids[0]) }, "2", "1 2"},
		{"done again", func(l *looking) { l.must(l.retire(l.ids[0])) }, "2", "2"},
		{"a third is staged", func(l *looking) { l.next(730); l.pass() }, "2", "2 3"},
		{"the second is revoked", func(l *looking) { l.revoke(l.ids[1]) }, "3", "3"},
	},
	registry.Ours: {
		{"in use", func(*looking) {}, "1", "1"},
		{"staged", func(l *looking) { l.next(0) }, "1", "1 2"},
		{"loaded", (*looking).nodePass, "1", "1 2"},
		{"offered", func(l *looking) { l.must(l.offer(l.lane, l.last().ID)) }, "1", "1 2"},
		{"confirmed", func(l *looking) { l.must(l.installed(l.lane, l.last().ID)) }, "1", "1 2"},
		{"ordered", func(l *looking) { l.must(l.order(l.last(), l.now.Add(time.Hour))) }, "1", "1 2"},
		{"active", func(l *looking) { l.after(time.Hour) }, "2", "1 2"},
		{"rolled back", (*looking).back, "1", "1 2"},
		{"active again", func(l *looking) { l.must(l.order(l.last(), time.Time{})) }, "2", "1 2"},
		{"quiet", (*looking).quiet, "2", "1 2"},
		{"done", func(l *looking) { l.must(l.retire(l.ids[0])) }, "2", "2"},
		{"undone", func(l *looking) { l.undo(l.ids[0]) }, "2", "1 2"},
		{"done again", func(l *looking) { l.must(l.retire(l.ids[0])) }, "2", "2"},
		{"a third is installed", func(l *looking) {
			l.next(0)
			l.nodePass()
			l.must(l.offer(l.lane, l.last().ID))
			l.must(l.installed(l.lane, l.last().ID))
		}, "2", "2 3"},
		{"the second is revoked", func(l *looking) { l.revoke(l.ids[1]) }, "3", "3"},
	},
}

// At each step of a renewal, of either leg, by either profile and on either side, all that looks for a key finds
// the right ones: to sign, verify, encrypt and decrypt, a request and an answer. What is found is seen by
// messages with a partner who has every key.
func TestLookups(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"riskos", "rdx"} {
		for _, side := range []sealane.Side{sealane.ClientSide, sealane.ServerSide} {
			for leg, steps := range looks {
				if profile == "rdx" && (leg == registry.Ours) != (side == sealane.ServerSide) {
					continue // without signatures and sealed answers only the receiver has a key
				}
				t.Run(fmt.Sprintf("%s %s %s", profile, side, leg), func(t *testing.T) {
					l := newLooking(t, profile, side, leg)
					for _, step := range steps {
						step.act(l)
						l.check(step)
					}
				})
			}
		}
	}
}

func newLooking(t *testing.T, profile string, side sealane.Side, leg registry.Owner) *looking {
	l := &looking{
		company: newCompany(t, "sqlite:"+t.TempDir()+"/r.db"), lane: lanes.Name{Partner: "acme", Environment: "PROD"},
		profile: profile, side: side, leg: leg,
	}
	l.partner("acme", profile, side, "PROD", registry.Rotation{Slots: 2, Quiet: 2})
	for _, l.leg = range []registry.Owner{registry.Ours, registry.Theirs} {
		if profile == "rdx" && l.leg != leg {
			continue
		}
		l.ids = nil
		l.next(700)
		if l.leg == registry.Theirs {
			l.must(exchange.New(l.anna).Activate(t.Context(), l.ids[0]))
			continue
		}
		l.must(l.offer(l.lane, l.ids[0]))
		l.must(l.installed(l.lane, l.ids[0]))
	}
	if l.leg = leg; profile == "riskos" && leg == registry.Ours {
		l.must(l.Store.View(t.Context(), func(tx registry.Reader) error {
			pairs, err := tx.KeyPairs(registry.KeyPairQuery{Partner: "acme"})
			l.ids = []string{pairs[0].ID}
			return err
		}))
	}
	return l
}

// alias is the key ID of all keys: it names their size, and they have the same.
const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"

// next makes the next key of the leg. A certificate of the partner's is approved, and is valid for some days.
func (l *looking) next(days int) {
	l.t.Helper()
	if l.leg == registry.Theirs {
		der := l.certificate(2048, days)
		l.theirs = append(l.theirs, testkey.RSA(l.t, fmt.Sprintf("renewal %d of 2048 bits", l.made), 2048))
		l.ids = append(l.ids, l.approved(l.lane, der))
	} else {
		k := l.create(l.lane, l.profile, 2048, len(l.ids) > 0)
		l.ids = append(l.ids, k.ID)
		l.must(l.Store.View(l.t.Context(), func(tx registry.Reader) error {
			c, err := tx.Certificate(k.Certificate)
			l.must(err)
			chain, err := c.Parse()
			l.must(err)
			l.ours = append(l.ours, chain[0].PublicKey.(*rsa.PublicKey))
			return nil
		}))
	}
	if l.profile == "rdx" {
		l.must(exchange.New(l.anna).SetKeyID(l.t.Context(), exchange.KeyIDChange{ID: l.last().ID, KeyID: alias}))
	}
}

// last names the last key of the leg.
func (l *looking) last() renewal.Name { return renewal.Name{ID: l.ids[len(l.ids)-1], Partner: "acme"} }

// nodePass lets a node load all, and the schedule see it.
func (l *looking) nodePass() {
	l.node("one", l.head())
	l.pass()
}

func (l *looking) after(d time.Duration) {
	l.now = l.now.Add(d)
	l.nodePass()
}

// back rolls the renewal back.
func (l *looking) back() {
	_, err := renewal.New(l.anna.WithReason("INC-7")).RollBack(l.t.Context(), renewal.Rollback{Name: l.last()})
	l.must(err)
	l.nodePass()
}

// confirmed lets the mail be planned, and records that it was sent.
func (l *looking) confirmed() {
	l.nodePass()
	l.after(renewal.DefaultDrain)
	l.must(only(renewal.New(l.anna).Sent(l.t.Context(), l.last())))
	l.wantStep(l.last().ID, registry.RenewalTold)
}

// quiet lets days pass in which the old key is not used.
func (l *looking) quiet() {
	for range 4 * 24 {
		l.after(time.Hour)
	}
	l.wantStep(l.last().ID, registry.RenewalQuiet)
}

func (l *looking) retire(id string) error {
	return l.agreed(l.anna.WithReason("nobody uses it"), func(s *registry.Session) error {
		return exchange.New(s).Retire(l.t.Context(), id, false)
	})
}

func (l *looking) undo(id string) {
	l.t.Helper()
	l.must(l.agreed(l.anna.WithReason("a late message has come"), func(s *registry.Session) error {
		_, err := exchange.New(s).Undo(l.t.Context(), id, "acme")
		return err
	}))
}

func (l *looking) revoke(id string) {
	l.t.Helper()
	l.node("one", l.head())
	l.must(l.agreed(l.anna.WithReason("it was in a mail"), func(s *registry.Session) error {
		return exchange.New(s).Revoke(l.t.Context(), id)
	}))
	l.nodePass()
}

// check compares what the lane of the registry finds with what a step asks for.
func (l *looking) check(step look) {
	l.t.Helper()
	snap, err := l.Lanes().Read(l.t.Context(), l.now)
	l.must(err)
	lane, err := snap.Lane(l.lane)
	l.must(err)
	want := step.rows(l)
	got := l.found(lane)
	if got != want {
		l.t.Errorf("%s:\ngot\n%swant\n%s", step.name, got, want)
	}
}

// rows returns what the table of a step is.
func (s look) rows(l *looking) string {
	uses, accepts := map[registry.Owner]string{registry.Ours: "1", registry.Theirs: "1"},
		map[registry.Owner]string{registry.Ours: "1", registry.Theirs: "1"}
	uses[l.leg], accepts[l.leg] = s.uses, s.accepts
	var out strings.Builder
	in, back := "answer", "request"
	if l.side == sealane.ServerSide {
		in, back = "request", "answer"
	}
	if l.profile == "rdx" {
		if l.leg == registry.Ours {
			fmt.Fprintf(&out, "decrypt %s: %s\n", in, s.accepts)
		} else {
			fmt.Fprintf(&out, "encrypt %s: %s\n", back, s.uses)
		}
		return out.String()
	}
	fmt.Fprintf(&out, "sign %s: %s\nencrypt %s: %s\n", back, uses[registry.Ours], back, uses[registry.Theirs])
	for _, ours := range strings.Fields(accepts[registry.Ours]) {
		for _, theirs := range strings.Fields(accepts[registry.Theirs]) {
			fmt.Fprintf(&out, "decrypt and verify %s: %s %s\n", in, ours, theirs)
			if l.side == sealane.ServerSide {
				fmt.Fprintf(&out, "sign and encrypt the answer to it: %s %s\n", ours, theirs)
			}
		}
	}
	return out.String()
}

// found returns the same of a lane, by messages with the partner.
func (l *looking) found(lane *sealane.Lane) string {
	ctx := l.t.Context()
	var out strings.Builder
	in, back := "answer", "request"
	if l.side == sealane.ServerSide {
		in, back = "request", "answer"
	}
	if l.profile == "riskos" || l.side == sealane.ClientSide {
		token, err := lane.Seal(ctx, payload)
		l.must(err)
		ours, theirs := l.sealedBy(token)
		if l.profile == "riskos" {
			fmt.Fprintf(&out, "sign %s: %s\n", back, ours)
		}
		fmt.Fprintf(&out, "encrypt %s: %s\n", back, theirs)
	}
	var accepted []string
	for ours := range max(1, len(l.ours)) {
		for theirs := range max(1, len(l.theirs)) {
			if l.profile == "rdx" && l.side == sealane.ClientSide {
				continue // answers are plain
			}
			m, err := lane.OpenMessage(ctx, l.sealed(ours, theirs))
			switch {
			case err != nil:
			case l.profile == "rdx":
				accepted = append(accepted, fmt.Sprint(ours+1))
			default:
				fmt.Fprintf(&out, "decrypt and verify %s: %d %d\n", in, ours+1, theirs+1)
				if l.side == sealane.ServerSide {
					token, err := lane.SealReply(ctx, m, payload)
					l.must(err)
					signed, encrypted := l.sealedBy(token)
					fmt.Fprintf(&out, "sign and encrypt the answer to it: %s %s\n", signed, encrypted)
				}
			}
		}
	}
	if accepted != nil {
		fmt.Fprintf(&out, "decrypt %s: %s\n", in, strings.Join(accepted, " "))
	}
	return out.String()
}

// with returns the partner's lane with one of our keys and one of its own.
func (l *looking) with(ours, theirs int) *sealane.Lane {
	c := sealane.Config{
		Partner: "us", Environment: "PROD", Profile: testlane.Profile(l.t, l.profile), Side: sealane.ServerSide,
		Sealing: sealane.SealingRequired,
	}
	if l.side == sealane.ServerSide {
		c.Side = sealane.ClientSide
	} else if l.profile == "rdx" {
		c.SenderAuth = sealane.SenderMutualTLS
	}
	if len(l.ours) > 0 {
		c.Theirs = testlane.Ring(l.t, keyring.Key{ID: alias, State: keyring.Active, Public: l.ours[ours]})
	}
	if len(l.theirs) > 0 {
		c.Ours = testlane.Ring(l.t, keyring.Key{ID: alias, State: keyring.Active, Private: l.theirs[theirs]})
	}
	return testlane.New(l.t, c)
}

// sealed returns a message of the partner's, encrypted to one of our keys and signed by one of its own.
func (l *looking) sealed(ours, theirs int) []byte {
	token, err := l.with(ours, theirs).Seal(context.Background(), payload)
	l.must(err)
	return token
}

// sealedBy returns which of our keys signed a message, and to which key of the partner it is encrypted.
func (l *looking) sealedBy(token []byte) (signed, encrypted string) {
	for ours := range max(1, len(l.ours)) {
		for theirs := range l.theirs {
			if _, err := l.with(ours, theirs).OpenMessage(context.Background(), token); err == nil {
				return fmt.Sprint(ours + 1), fmt.Sprint(theirs + 1)
			}
		}
	}
	return "none", "none"
}
