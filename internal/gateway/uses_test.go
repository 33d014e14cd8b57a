package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// used returns the stored uses of keys, such as "k-acme in n 2", in the order of the keys, nodes and
// directions.
func (d *database) used(keys ...string) string {
	d.t.Helper()
	var lines []string
	err := d.View(d.t.Context(), func(tx registry.Reader) error {
		for _, key := range keys {
			list, err := tx.KeyUsage(key, "")
			if err != nil {
				return err
			}
			for _, u := range list {
				lines = append(lines, fmt.Sprintf("%s %s %s %d", key, u.Direction, u.Node, u.Count))
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.Join(lines, ", ")
}

// wantUsed fails the test if other uses are stored.
func (d *database) wantUsed(want string, keys ...string) {
	d.t.Helper()
	if got := d.used(keys...); got != want {
		d.t.Errorf("stored are\n%s, want\n%s", got, want)
	}
}

// Each way through the gateway counts the keys that it uses: an ingress those that open a request and seal
// its answer, an egress those that seal a request and open its answer, the local API those of one message.
// A message that is not opened counts nothing.
func TestUsesOfEachWay(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	t.Setenv("CALLER", "api-key-of-acme")
	d := localDatabase(t)
	var app seen
	d.words = ", node: issuing"
	in := start(t, d.api(serve(t, app.answer(200, `{"id":"1","eval_id":"e-1"}`)), "caller: api-key"), d.open(nil))
	d.words = ", node: calling"
	out := start(t, strings.Join([]string{
		"registry: {db: " + d.path + ", root_key: env:ROOT, node: calling}", "routes:",
		"- name: out", "  egress: riskos", "  listen: 127.0.0.1:0", "  partner: risk", "  environment: SANDBOX",
		"  upstream: " + in.url("in"), "  authorization: env:CALLER",
		"- name: local", "  local: any", "  listen: 127.0.0.1:0", "  tokens: [{name: batch, token: env:BATCH}]", "",
	}, "\n"), d.open(nil))

	for range 3 {
		if a := post(t, out.url("out")+"/api/evaluation", evaluation); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := post(t, in.url("in")+"/api/evaluation", `{"encrypted_request":"a.b.c.d.e"}`,
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...); a.status != 400 {
		t.Errorf("no token: %d %s", a.status, a.body)
	}
	for _, way := range []struct{ seal, open, environment string }{
		{"bank", "vcas", "STAG"}, {"acme", "risk", "SANDBOX"},
	} {
		sealed := as(t, out, batchToken, "/seal/"+way.seal+"/"+way.environment, `{}`)
		if a := as(t, out, batchToken, "/open/"+way.open+"/"+way.environment, sealed.body); a.status != 200 {
			t.Fatalf("%+v: %d %s", way, a.status, a.body)
		}
	}
	if a := as(t, out, batchToken, "/open/vcas/STAG", "a.b.c.d.e"); a.status != 422 {
		t.Errorf("no token: %d %s", a.status, a.body)
	}
	in.logged()
	out.logged()
	d.wantUsed("k-acme out calling 1, k-acme in issuing 3, k-acme out issuing 3, "+
		"c-acme out calling 1, c-acme in issuing 3, c-acme out issuing 3", "k-acme", "c-acme")
	d.wantUsed("k-risk in calling 4, k-risk out calling 3, c-risk in calling 4, c-risk out calling 3",
		"k-risk", "c-risk")
	d.wantUsed("c-bank out calling 1, k-vcas in calling 1", "k-bank", "c-bank", "k-vcas", "c-vcas")
}

// rotated adds a second pair of ours and a second certificate of acme, which are active; those before
// are retiring.
func (d *database) rotated(ours, theirs sealanetest.KeyPair) {
	d.t.Helper()
	d.partner("next", "riskos", sealane.ServerSide, riskosSandbox, ours, theirs)
	d.update(func(tx registry.Tx) error {
		pair, err := tx.KeyPair("k-acme")
		if err != nil {
			return err
		}
		theirs, err := tx.Certificate("c-acme")
		if err != nil {
			return err
		}
		pair.State, theirs.State = registry.Retiring, registry.Retiring
		nextPair, err := tx.KeyPair("k-next")
		if err != nil {
			return err
		}
		nextTheirs, err := tx.Certificate("c-next")
		if err != nil {
			return err
		}
		for _, err := range []error{tx.PutKeyPair(&pair), tx.PutCertificate(&theirs)} {
			if err != nil {
				return err
			}
		}
		nextPair.ID, nextPair.Version, nextPair.Partner = "k-new", 0, "acme"
		nextTheirs.ID, nextTheirs.Version, nextTheirs.Partner = "c-new", 0, "acme"
		if err := tx.PutKeyPair(&nextPair); err != nil {
			return err
		}
		return tx.PutCertificate(&nextTheirs)
	})
}

// A partner that goes on with the old pair and the old certificate is seen to do so, and is answered with
// them; what we seal is counted for the keys that have sealed it.
func TestUsesOfOldKeys(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(), sealanetest.CustomerKey(),
	)
	d.rotated(sealanetest.IssuerKey(), nextCustomer(t))
	d.words = ", node: n"
	var app seen
	g := start(t, d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key"), d.open(nil))
	a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t),
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
	if a.status != 200 {
		t.Fatalf("%d %s\n%s", a.status, a.body, g.logged())
	}
	config := sealanetest.CustomerConfig() // it has the old keys of both sides alone
	_, token, _ := strings.Cut(a.body, `"encrypted_response":"`)
	if _, err := testlane.New(t, config).Open(t.Context(), []byte(strings.TrimSuffix(token, `"}`))); err != nil {
		t.Fatalf("the answer is not sealed by the keys of the request: %v", err)
	}
	g.logged()
	d.wantUsed("k-acme in n 1, k-acme out n 1, c-acme in n 1, c-acme out n 1", "k-acme", "k-new", "c-acme", "c-new")
}

// Uses wait while the database is away, are stored when it comes back, and counted once. Those of a process
// that is started again are added.
func TestUsesWhileTheDatabaseIsAway(t *testing.T) {
	servedOnBoth(t, func(t *testing.T, s *served) {
		n := s.start(t, ", node: n", 0)
		minute := func() { n.clock.Add(int64(time.Minute)) }
		evaluate := func(times int) {
			t.Helper()
			for range times {
				if status := n.evaluate(t); status != 200 {
					t.Fatalf("status %d", status)
				}
			}
		}
		evaluate(2)
		minute()
		poll(t, func() bool { return s.used("k-acme") == "k-acme in n 2, k-acme out n 2" })
		back := s.away()
		evaluate(3)
		n.clock.Add(int64(10 * time.Minute))
		if s.proxy != nil { // an open file stays where it was moved to
			poll(t, func() bool { return strings.Contains(n.log.String(), "are not stored yet") })
		}
		evaluate(1)
		back()
		n.clock.Add(int64(10 * time.Minute))
		poll(t, func() bool { return s.used("k-acme") == "k-acme in n 6, k-acme out n 6" })
		evaluate(1)
		n.logged()
		s.wantUsed("k-acme in n 7, k-acme out n 7, c-acme in n 7, c-acme out n 7", "k-acme", "c-acme")
		n = s.start(t, ", node: n", time.Hour)
		evaluate(2)
		n.logged()
		s.wantUsed("k-acme in n 9, k-acme out n 9", "k-acme")
	})
}

// A request that began before a reload counts, though the registry is opened anew by it: with other settings, by
// another address of the same database, and also where the new configuration has another database or none.
func TestUsesOverAReload(t *testing.T) {
	for name, c := range map[string]struct {
		config func(before string, other *database) string
		same   bool // the node goes on in the same database
	}{
		"settings": {func(before string, _ *database) string { return strings.Replace(before, "1h", "2h", 1) }, true},
		"another address": {func(before string, _ *database) string {
			return strings.NewReplacer("{db: ", "{db: sqlite:", "1h", "2h").Replace(before)
		}, true},
		"another database": {func(before string, other *database) string {
			_, path, _ := strings.Cut(before, "{db: ")
			path, _, _ = strings.Cut(path, ",")
			return strings.Replace(before, path, other.path, 1)
		}, false},
		"no registry": {func(before string, _ *database) string {
			_, upstream, _ := strings.Cut(before, "upstream: ")
			upstream, _, _ = strings.Cut(upstream, "\n")
			return ingress(upstream)
		}, false},
	} {
		t.Run(name, func(t *testing.T) { usesOverAReload(t, c.config, c.same) })
	}
}

func usesOverAReload(t *testing.T, next func(before string, other *database) string, same bool) {
	d, other := newDatabase(t), newDatabase(t)
	for _, one := range []*database{d, other} {
		one.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
			sealanetest.CustomerKey())
	}
	arrived, answer := make(chan bool), make(chan bool)
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-answer
		fmt.Fprint(w, `{"eval_id":"e-1"}`)
	})
	d.words = ", node: n"
	config := d.api(upstream, "caller: api-key")
	began, passed := time.Now(), atomic.Int64{}
	g := start(t, config, func(_ *running, o *gateway.Options) {
		o.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
		o.OpenRegistry = func(_ context.Context, s gateway.RegistrySettings) (gateway.Registry, error) {
			if s.DB == "sqlite:"+other.path {
				return other, nil
			}
			return d, nil
		}
	})
	done := make(chan int)
	go func() {
		done <- post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t),
			append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...).status
	}()
	<-arrived
	poll(t, func() bool { return !d.node("n").At.IsZero() })
	before := d.node("n")
	write(t, filepath.Join(g.dir, "sealane.yaml"), next(config, other))
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if same {
		poll(t, func() bool { return d.node("n").Serves.Sub(before.Serves) > 30*time.Minute })
	}
	answer <- true
	if status := <-done; status != 200 {
		t.Errorf("status %d", status)
	}
	if after := d.node("n"); after.Gone() || after.Process != before.Process {
		t.Errorf("after the reload: %+v", after)
	}
	if !same { // no request can need the registry any more, and the next reload says so
		passed.Add(int64(10 * time.Minute))
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll(t, func() bool { return d.node("n").Gone() })
		d.wantUsed("k-acme in n 1, k-acme out n 1", "k-acme")
	}
	log := g.logged()
	d.wantUsed("k-acme in n 1, k-acme out n 1", "k-acme")
	other.wantUsed("", "k-acme")
	if after := d.node("n"); !after.Gone() || strings.Contains(log, "another process") {
		t.Errorf("at the end: %+v\n%s", after, log)
	}
}

// node returns what a node has reported, or nothing.
func (d *database) node(name string) (n registry.Node) {
	d.t.Helper()
	err := d.View(d.t.Context(), func(tx registry.Reader) error {
		nodes, err := tx.Nodes()
		for _, one := range nodes {
			if one.Name == name {
				n = one
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// A node reports which record is in force, soon after it has changed, until when it would go on without the
// database, and that it has ended.
func TestNodesReport(t *testing.T) {
	servedOnBoth(t, func(t *testing.T, s *served) {
		n, other := s.start(t, ", node: n, stale_after: 3h", 0), s.start(t, ", node: other", 0)
		poll(t, func() bool { return !s.node("n").At.IsZero() && !s.node("other").At.IsZero() })
		first := s.node("n")
		if first.Record == 0 || first.Gone() || first.Started.IsZero() ||
			first.Serves.Sub(first.At).Round(time.Minute) != 3*time.Hour {
			t.Errorf("%+v", first)
		}
		if status := n.evaluate(t); status != 200 {
			t.Fatal(status)
		}
		s.revoke()
		poll(t, func() bool { return n.evaluate(t) == 401 })
		n.clock.Add(int64(3 * time.Second)) // for the other, no time passes
		poll(t, func() bool { return s.node("n").Record == first.Record+1 })
		if still := s.node("other"); still.Record != first.Record && still.At.Sub(first.At) < 2*time.Second {
			t.Errorf("the other has reported each record: %+v", still)
		}
		poll(t, func() bool { // the uses are stored at the first tick of a minute, and reported at the next
			n.clock.Add(int64(time.Minute))
			return s.node("n").Counted.Sub(first.Counted) > 50*time.Minute
		})
		if status := n.status(t); !strings.Contains(status, `"node": "n"`) {
			t.Error(status)
		}
		n.logged()
		if ended := s.node("n"); !ended.Gone() || ended.Process != first.Process || ended.Counted.Before(ended.At) &&
			ended.Ended.Sub(ended.Counted) > 2*time.Second {
			t.Errorf("at the end: %+v", ended)
		}
		if other := s.node("other"); other.Gone() || !other.Shared.IsZero() {
			t.Errorf("the other: %+v", other)
		}
		other.logged()
	})
}

// Two processes of one name serve, and say so in their logs. One that follows another takes its row over.
func TestTwoProcessesOfOneNode(t *testing.T) {
	servedOnBoth(t, func(t *testing.T, s *served) {
		a := s.start(t, ", node: n", 0)
		poll(t, func() bool { return !s.node("n").At.IsZero() })
		first := s.node("n")
		b := s.start(t, ", node: n", 0)
		poll(t, func() bool { return s.node("n").Process != first.Process })
		if shared := s.node("n").Shared; !shared.IsZero() {
			t.Errorf("shared since %s, and the first may have died", shared)
		}
		a.clock.Add(int64(11 * time.Second))
		poll(t, func() bool { return strings.Contains(a.log.String(), "another process reports itself") })
		b.clock.Add(int64(11 * time.Second))
		poll(t, func() bool { return strings.Contains(b.log.String(), "another process reports itself") })
		if s.node("n").Shared.IsZero() {
			t.Error("the row does not say that two have the name")
		}
		for _, n := range []*node{a, b} {
			if status := n.evaluate(t); status != 200 {
				t.Errorf("status %d", status)
			}
		}
		if log := b.logged(); !strings.Contains(log, "has not signed off") {
			t.Errorf("the second took the row of one that may have died:\n%s", log)
		}
		if a.logged(); !strings.Contains(s.used("k-acme"), "k-acme in n 2") {
			t.Error(s.used("k-acme"))
		}
		c := s.start(t, ", node: n", 0)
		poll(t, func() bool { return !s.node("n").Gone() })
		if log := c.logged(); strings.Contains(log, "has not signed off") || strings.Contains(log, "another process") {
			t.Error(log)
		}
	})
}

// Without a name in the file, a node has that of its host.
func TestNodeOfTheHost(t *testing.T) {
	f := startFresh(t, "", "acme")
	var name string
	poll(t, func() bool {
		_ = f.d.View(t.Context(), func(tx registry.Reader) error {
			nodes, err := tx.Nodes()
			for _, n := range nodes {
				name = n.Name
			}
			return err
		})
		return name != ""
	})
	if a := f.admin(t, "/status"); !strings.Contains(a.body, `"node": "`+name+`"`) {
		t.Error(a.body)
	}
}
