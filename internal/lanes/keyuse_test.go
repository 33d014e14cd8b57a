package lanes_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// rotating is a lane with acme whose keys change on both sides: k-old is retiring and k-new active, c-old
// retiring and c-new active. Both pairs have one key ID, as both certificates have.
type rotating struct {
	*store.Store
	s    *lanes.Snapshot
	lane *sealane.Lane
	keys *lanes.Keys
	them map[string]*sealane.Lane // acme's lane, by the pair of ours and the pair of theirs
	uses lanes.UsageRecorder
}

func newRotating(t testing.TB, o store.Options) *rotating {
	t.Helper()
	r := &rotating{Store: openStore(t, t.TempDir()+"/registry.db", o), them: map[string]*sealane.Lane{}}
	addAcme(t, r.Store)
	private := map[string]*rsa.PrivateKey{}
	for _, name := range []string{"k-old", "k-new", "c-old", "c-new"} {
		private[name] = testkey.RSA(t, "uses "+name, 2048)
	}
	pair := func(id string, state registry.State) *registry.KeyPair {
		return keyOf(t, private[id], registry.KeyPair{
			ID: id, Profile: "riskos", Partner: "acme", Environment: "PROD", KeyID: "ours", State: state,
		})
	}
	certificate := func(id string, state registry.State) *registry.Certificate {
		return certificateOf(t, private[id], registry.Certificate{
			ID: id, Partner: "acme", KeyID: "theirs", State: state,
		})
	}
	update(t, r.Store, func(tx registry.Tx) error {
		return errors.Join(
			tx.PutKeyPair(pair("k-old", registry.Retiring)), tx.PutKeyPair(pair("k-new", registry.Active)),
			tx.PutCertificate(certificate("c-old", registry.Retiring)),
			tx.PutCertificate(certificate("c-new", registry.Active)))
	})
	reader := readerOf(t, r.Store)
	reader.Open = func(k lanes.KeyPair) (keyring.Private, error) { return private[k.ID], nil }
	r.s = read(t, reader)
	name := lanes.Name{Partner: "acme", Environment: "PROD"}
	var err error
	r.lane, err = r.s.Lane(name)
	must(t, err)
	r.keys = r.s.Keys(name)
	riskos, err := profile.Load("riskos")
	must(t, err)
	for _, k := range []string{"k-old", "k-new"} {
		for _, c := range []string{"c-old", "c-new"} {
			ours, err := keyring.New(keyring.Key{ID: "theirs", State: keyring.Active, Private: private[c]})
			must(t, err)
			theirs, err := keyring.New(keyring.Key{ID: "ours", State: keyring.Active, Public: &private[k].PublicKey})
			must(t, err)
			r.them[k+" "+c], err = sealane.New(sealane.Config{
				Environment: "PROD", Profile: riskos, Side: sealane.ClientSide, Ours: ours, Theirs: theirs,
			})
			must(t, err)
		}
	}
	return r
}

// receives opens a message that acme has sealed with a pair of each side.
func (r *rotating) receives(t *testing.T, keys string, at time.Time) {
	t.Helper()
	token, err := r.them[keys].Seal(t.Context(), []byte(`{}`))
	must(t, err)
	m, err := r.lane.OpenMessage(t.Context(), token)
	must(t, err)
	r.uses.Opened(m, r.keys, at)
}

// seals seals a message to acme.
func (r *rotating) seals(t *testing.T, at time.Time) {
	t.Helper()
	keys, err := r.lane.SealKeys()
	must(t, err)
	token, err := r.lane.AppendSealWith(t.Context(), nil, []byte(`{}`), keys)
	must(t, err)
	_, err = r.them["k-new c-new"].OpenMessage(t.Context(), token)
	must(t, err) // those keys have sealed it
	r.uses.Sealed(keys, r.keys, at)
}

func (r *rotating) write(t *testing.T, at time.Time, all bool) lanes.Written {
	t.Helper()
	w, err := r.uses.WriteKeys(t.Context(), r.Store, "n", "a", at, all)
	must(t, err)
	return w
}

// stored returns what is stored of all keys, such as "k-new in 2".
func (r *rotating) stored(t *testing.T) string {
	t.Helper()
	var lines []string
	must(t, r.View(t.Context(), func(tx registry.Reader) error {
		for _, id := range []string{"c-new", "c-old", "k-new", "k-old"} {
			list, err := tx.KeyUsage(id, "acme")
			for _, u := range list {
				lines = append(lines, fmt.Sprintf("%s %s %d", id, u.Direction, u.Count))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return strings.Join(lines, ", ")
}

// Uses are those of the keys that were used, in both directions, while both sides change theirs.
func TestUsesOfRotatingKeys(t *testing.T) {
	r := newRotating(t, store.Options{})
	r.receives(t, "k-new c-new", now)
	r.receives(t, "k-old c-new", now)
	r.receives(t, "k-old c-old", now)
	r.seals(t, now)
	r.seals(t, now)
	r.write(t, now, false)
	want := "c-new in 2, c-new out 2, c-old in 1, k-new in 1, k-new out 2, k-old in 2"
	if got := r.stored(t); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The first use of a key is stored at once, further ones after ten minutes, and all at the end.
func TestWhenUsesAreStored(t *testing.T) {
	r := newRotating(t, store.Options{})
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	for _, step := range []struct {
		minute  int
		keys    string // of the message that comes in, if any
		all     bool
		want    string
		counted time.Time
		left    int64
	}{
		{0, "k-old c-old", false, "c-old in 1, k-old in 1", at(0).Add(-time.Second), 0},
		{1, "k-old c-old", false, "c-old in 1, k-old in 1", at(1).Add(-time.Second), 2},
		{2, "k-new c-old", false, "c-old in 1, k-new in 1, k-old in 1", at(1), 3},
		{9, "", false, "c-old in 1, k-new in 1, k-old in 1", at(1), 3},
		{10, "", false, "c-old in 3, k-new in 1, k-old in 2", at(10).Add(-time.Second), 0},
		// After a while it is as the first use.
		{40, "k-old c-old", false, "c-old in 4, k-new in 1, k-old in 3", at(40).Add(-time.Second), 0},
		{41, "k-old c-old", false, "c-old in 4, k-new in 1, k-old in 3", at(41).Add(-time.Second), 2},
		{42, "k-old c-old", true, "c-old in 6, k-new in 1, k-old in 5", at(42).Add(-time.Second), 0},
		// The clock was set.
		{10, "k-old c-old", false, "c-old in 7, k-new in 1, k-old in 6", at(10).Add(-time.Second), 0},
	} {
		if step.keys != "" {
			r.receives(t, step.keys, at(step.minute))
		}
		w := r.write(t, at(step.minute), step.all)
		if got := r.stored(t); got != step.want || !w.Counted.Equal(step.counted) || w.Left != step.left {
			t.Errorf("minute %d: %s, %d left, counted until %s; want %s, %d, %s", step.minute, got, w.Left, w.Counted,
				step.want, step.left, step.counted)
		}
	}
}

// What can't be stored is kept, together with what comes meanwhile. Nothing is lost or counted twice,
// whether the transaction that failed has done its work or not.
func TestUsesOfKeysAreKept(t *testing.T) {
	for _, fails := range []string{"BEGIN", "COMMITTED"} {
		failing := false
		ctx, cancel := context.WithCancel(t.Context())
		r := newRotating(t, store.Options{Trace: func(statement string) {
			if failing && statement == fails {
				cancel()
			}
		}})
		lost := lostAnswer{r.Store, &ctx}
		for i := range 4 {
			r.receives(t, "k-old c-old", now.Add(time.Duration(i)*time.Second))
			failing = true
			cancel()
			ctx, cancel = context.WithCancel(t.Context())
			w, err := r.uses.WriteKeys(ctx, lost, "n", "a", now, true)
			failing = false
			if err == nil || w.Left != int64(2*i+2) || !w.Counted.Equal(now.Add(-time.Second)) {
				t.Fatalf("%s: %v, %+v", fails, err, w)
			}
		}
		cancel()
		if w := r.write(t, now, true); w.Left != 0 {
			t.Errorf("%s: %+v", fails, w)
		}
		if got, want := r.stored(t), "c-old in 4, k-old in 4"; got != want {
			t.Errorf("%s: %s, want %s", fails, got, want)
		}
	}
}

// lostAnswer is a store whose answers do not arrive any more when a context has ended.
type lostAnswer struct {
	*store.Store
	ctx *context.Context
}

func (l lostAnswer) UsedKeys(ctx context.Context, uses lanes.KeyUses) error {
	return errors.Join(l.Store.UsedKeys(ctx, uses), (*l.ctx).Err())
}

// manyKeys is a store that has all keys, so that many can be used.
type manyKeys struct {
	*store.Store
	seen map[lanes.KeyUse]int64
	most int // of a batch
	away bool
}

func (m *manyKeys) UsedKeys(_ context.Context, uses lanes.KeyUses) error {
	if m.away {
		return errors.New("the database is away")
	}
	m.most = max(m.most, len(uses.Seen))
	for _, one := range uses.Seen {
		m.seen[one.KeyUse] += one.Count
	}
	return nil
}

// A recorder holds the uses of a limited number of keys, however long the database is away, and says
// how many it could not count. Batches are small.
func TestUsesOfKeysAreBounded(t *testing.T) {
	r := newRotating(t, store.Options{})
	to := &manyKeys{Store: r.Store, seen: map[lanes.KeyUse]int64{}, away: true}
	uses := lanes.UsageRecorder{MostKeys: 1200}
	flood := func(from, to int) {
		for i := from; i < to; i++ {
			lanes.NoteKey(&uses, lanes.KeyUse{Key: fmt.Sprint("k-", i), Partner: "acme", Direction: lanes.In}, now)
		}
	}
	flood(0, 700)
	if w, err := uses.WriteKeys(t.Context(), to, "n", "a", now, false); err == nil || w.Left != 700 || w.Lost != 0 {
		t.Errorf("%v, %+v", err, w)
	}
	flood(0, 1300) // 700 of them are known
	w, err := uses.WriteKeys(t.Context(), to, "n", "a", now, false)
	if err == nil || w.Left+w.Lost != 2000 || w.Lost == 0 || w.Lost > 800 {
		t.Errorf("%v, %+v", err, w)
	}
	to.away = false
	lost := w.Lost
	if w, err = uses.WriteKeys(t.Context(), to, "n", "a", now, false); err != nil || w.Left != 0 || w.Lost != 0 {
		t.Errorf("%v, %+v", err, w)
	}
	sum := int64(0)
	for n := range maps.Values(to.seen) {
		sum += n
	}
	if sum+lost != 2000 || to.most > lanes.MostKeySeen || len(to.seen) > 1200 {
		t.Errorf("%d uses of %d keys are stored and %d lost, by %d at once", sum, len(to.seen), lost, to.most)
	}
	w, err = uses.WriteKeys(t.Context(), to, "n", "a", now.Add(time.Hour), false)
	if err != nil || w.Counted.After(now) {
		t.Errorf("%v, counted until %v, although a use of %v is lost", err, w.Counted, now)
	}
}

// A lane that is made again after a change has the keys of its own snapshot.
func TestKeysFollowTheSnapshot(t *testing.T) {
	r := newRotating(t, store.Options{})
	update(t, r.Store, func(tx registry.Tx) error {
		k, err := tx.KeyPair("k-old")
		if err != nil {
			return err
		}
		k.State = registry.Retired
		return tx.PutKeyPair(&k)
	})
	name := lanes.Name{Partner: "acme", Environment: "PROD"}
	after := read(t, readerOf(t, r.Store))
	token, err := r.them["k-old c-new"].Seal(t.Context(), []byte(`{}`))
	must(t, err)
	m, err := r.lane.OpenMessage(t.Context(), token)
	must(t, err)
	if r.s.Keys(name) != r.keys || after.Keys(name) == r.keys {
		t.Error("keys are not those of the snapshot")
	}
	r.uses.Opened(m, after.Keys(name), now) // its pair has ended meanwhile: what is known is counted
	r.uses.Opened(nil, r.keys, now)
	r.uses.Opened(m, nil, now)
	r.uses.Sealed(sealane.SealKeys{}, nil, now)
	r.write(t, now, true)
	if got := r.stored(t); got != "c-new in 1" {
		t.Errorf("stored: %s", got)
	}
	if none := r.s.Keys(lanes.Name{Partner: "acme", Environment: "DEV"}); none != nil {
		t.Error("a lane that is not there has keys")
	}
}

// BenchmarkNoteUses notes the uses of one message that was opened and one that was sealed.
func BenchmarkNoteUses(b *testing.B) {
	r := newRotating(b, store.Options{})
	token, err := r.them["k-old c-old"].Seal(b.Context(), []byte(`{}`))
	must(b, err)
	m, err := r.lane.OpenMessage(b.Context(), token)
	must(b, err)
	keys, err := r.lane.SealKeys()
	must(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r.uses.Opened(m, r.keys, now)
			r.uses.Sealed(keys, r.keys, now)
		}
	})
}
