package gateway_test

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// movePair changes the state of a key pair of ours.
func (d *database) movePair(id string, to registry.State, change ...func(*registry.KeyPair)) {
	d.t.Helper()
	d.update(func(tx registry.Tx) error {
		pair, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		pair.State, pair.Changed, pair.Sealed = to, retiredAt, []byte("sealed")
		for _, f := range change {
			f(&pair)
		}
		return tx.PutKeyPair(&pair)
	})
}

var retiredAt = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// looking is a provider's ingress whose partner goes on with a pair of ours that is not in use any more.
type looking struct {
	*running
	d      *database
	passed atomic.Int64 // by the clock
}

func startLooking(t *testing.T, d *database, more ...string) *looking {
	t.Helper()
	l := &looking{d: d}
	var app seen
	began := time.Now()
	config := "admin: 127.0.0.1:0\n" + d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key") +
		strings.Join(more, "")
	l.running = start(t, config, d.open(func() time.Time { return began.Add(time.Duration(l.passed.Load())) }))
	return l
}

// send sends a request of a partner.
func (l *looking) send(partner, body string) answer {
	l.t.Helper()
	return post(l.t, l.url("in")+"/api/evaluation", body,
		append([]string{"Authorization", "Bearer api-key-of-" + partner}, sealedHeaders...)...)
}

// looked returns how often it was looked for a key, by results.
func (l *looking) looked() string {
	l.t.Helper()
	var all []string
	for line := range strings.Lines(l.metrics(l.t, "sealane_key_looks_total{")) {
		line = strings.TrimPrefix(strings.TrimSpace(line), `sealane_key_looks_total{result="`)
		all = append(all, strings.Replace(line, `"}`, "", 1))
	}
	return strings.Join(all, ", ")
}

// wantLooked waits until it was looked so often.
func (l *looking) wantLooked(want string) {
	l.t.Helper()
	poll(l.t, func() bool { return l.looked() == want })
}

// rotatedDatabase has acme, for whom the pair k-new has followed the pair k-acme.
func rotatedDatabase(t *testing.T) *database {
	d := newDatabase(t)
	d.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
		sealanetest.CustomerKey())
	d.rotated(sealanetest.IssuerKey(), nextCustomer(t))
	return d
}

// A message to a retired key pair is refused, named and counted, once a minute. The answer is that to any other
// message which does not decrypt, byte for byte.
func TestMessageToARetiredPair(t *testing.T) {
	d := rotatedDatabase(t)
	d.movePair("k-acme", registry.Retired)
	g := startLooking(t, d)
	late := sealedEvaluation(t)
	first := g.send("acme", late)
	g.log.wait(t, "alarm: a message was encrypted to a key pair of ours that is retired", 1)
	g.wantLooked("found 1")
	for range 3 { // in the same minute
		g.send("acme", late)
	}
	g.passed.Store(int64(time.Minute - time.Millisecond))
	g.send("acme", late)
	g.wantLooked("found 1")
	g.passed.Store(int64(time.Minute)) // the next one
	g.send("acme", late)
	g.wantLooked("found 2")
	want := `sealane_ended_key_messages_total{partner="acme",route="in",state="retired"} 2`
	if got := g.metrics(t, "sealane_ended_key_messages_total"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	g.passed.Store(int64(2 * time.Minute))
	d.movePair("k-acme", registry.Destroyed, func(k *registry.KeyPair) { k.Sealed = nil })
	other := g.send("acme", late)
	g.wantLooked("found 2, none 1")
	if a, b := unidentified(t, first), unidentified(t, other); first.status != 400 || a != b {
		t.Errorf("with a retired pair\n%s, without\n%s", a, b)
	}
	log := g.logged()
	if strings.Count(log, "that is retired") != 2 || strings.Contains(log, "Accept") || strings.Contains(log, "eyJ") {
		t.Error(log)
	}
	for _, want := range []string{
		`"level":"ERROR","msg":"alarm: a message was`, `"key":"k-acme"`, `"partner":"acme"`, `"environment":"SANDBOX"`,
		`"state":"retired"`, `"since":"2026-10-01T12:00:00Z"`, `"shared":false`,
		`"key_id":"` + sealanetest.ProviderKey().ID + `"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	d.wantUsed("", "k-acme", "k-new")
}

// unidentified returns an answer without what tells it from others: its identifier and its time.
func unidentified(t *testing.T, a answer) string {
	t.Helper()
	header := maps.Clone(a.header)
	delete(header, "Date")
	body := a.body
	if _, id, found := strings.Cut(body, `(ID: `); found {
		id, _, _ = strings.Cut(id, ")")
		body = strings.ReplaceAll(body, id, "ID")
	}
	for _, part := range strings.FieldsFunc(a.body, func(r rune) bool { return strings.ContainsRune(`" ,:{}()`, r) }) {
		if len(part) == 36 && strings.Count(part, "-") == 4 {
			body = strings.ReplaceAll(body, part, "ID")
		}
	}
	return fmt.Sprintln(a.status, header, body)
}

// A pair that was blocked, compromised or destroyed is not looked for, and neither is one of another partner.
func TestPairsThatAreNotLookedFor(t *testing.T) {
	block := func(lifted time.Time) func(*database) {
		return func(d *database) {
			d.movePair("k-acme", registry.Retired)
			d.update(func(tx registry.Tx) error {
				pair, err := tx.KeyPair("k-acme")
				if err != nil {
					return err
				}
				return tx.PutBlocked(registry.Blocked{
					SPKISHA256: pair.SPKISHA256, Reason: "seen", By: "anna", At: retiredAt, Lifted: lifted,
				})
			})
		}
	}
	for name, c := range map[string]struct {
		change func(*database)
		want   string
	}{
		"retired":     {func(d *database) { d.movePair("k-acme", registry.Retired) }, "found 1"},
		"compromised": {func(d *database) { d.movePair("k-acme", registry.Compromised) }, "none 1"},
		"blocked":     {block(time.Time{}), "none 1"},
		"unblocked":   {block(retiredAt), "found 1"},
		"no private key": {func(d *database) {
			d.movePair("k-acme", registry.Retired, func(k *registry.KeyPair) { k.Sealed = nil })
		}, "none 1"},
		"another partner's": {func(d *database) {
			d.partner("other", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.KeyPair{},
				sealanetest.CustomerKey())
			d.movePair("k-acme", registry.Retired, func(k *registry.KeyPair) { k.Partner = "other" })
		}, "none 1"},
		"shared": {func(d *database) {
			d.movePair("k-acme", registry.Retired, func(k *registry.KeyPair) { k.Partner = "" })
		}, "found 1"},
		"shared in another profile": {func(d *database) {
			d.movePair("k-acme", registry.Retired, func(k *registry.KeyPair) { k.Partner, k.Profile = "", "rdx" })
		}, "none 1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := rotatedDatabase(t)
			c.change(d)
			g := startLooking(t, d)
			if a := g.send("acme", sealedEvaluation(t)); a.status != 400 {
				t.Errorf("%d %s", a.status, a.body)
			}
			g.wantLooked(c.want)
			if named := strings.Contains(g.logged(), "alarm"); named != (c.want == "found 1") {
				t.Errorf("named: %t", named)
			}
		})
	}
}

// RDX has key IDs: a message with that of a retired pair is named, also if the pair does not decrypt it.
func TestKeyIDOfARetiredPair(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	d := localDatabase(t)
	d.movePair("k-vcas", registry.Retired)
	d.partner("own", "rdx", sealane.ServerSide, registry.Environment{
		Name: "STAG", SenderAuth: sealane.SenderMutualTLS,
	}, sealanetest.ProviderKey(), sealanetest.KeyPair{})
	d.update(func(tx registry.Tx) error { // another pair of vcas, which is active
		pair, err := tx.KeyPair("k-own")
		if err != nil {
			return err
		}
		pair.ID, pair.Version, pair.Partner = "k-next", 0, "vcas"
		return tx.PutKeyPair(&pair)
	})
	g := startLooking(t, d, "- name: local\n  local: any\n  listen: 127.0.0.1:0\n"+
		"  tokens: [{name: batch, token: env:BATCH}]\n")
	toRetired := as(t, g.running, batchToken, "/seal/bank/STAG", `{"n":1}`).body
	c := sealanetest.VCASConfig()
	c.Theirs = testkey.Theirs(t, sealanetest.IssuerKey().ID, testkey.RSA(t, "somebody else", 2048))
	toOthers, err := testlane.New(t, c).Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ message, says string }{
		{toRetired, "alarm: a message was encrypted to a key pair of ours that is retired"},
		{string(toOthers), "alarm: a message names a key pair of ours that is retired"},
	} {
		g.passed.Add(int64(time.Minute))
		if a := as(t, g.running, batchToken, "/open/vcas/STAG", c.message); a.status != 422 {
			t.Errorf("%d %s", a.status, a.body)
		}
		g.log.wait(t, c.says, 1)
		g.wantLooked(fmt.Sprintf("found %d", i+1))
	}
	if log := g.logged(); strings.Count(log, `"key":"k-vcas"`) != 2 {
		t.Error(log)
	}
}

// An answer to a request of ours that is encrypted to a retired pair is named too.
func TestAnswerToARetiredPair(t *testing.T) {
	d := newDatabase(t)
	d.partner("risk", "riskos", sealane.ClientSide, riskosSandbox, sealanetest.CustomerKey(),
		sealanetest.ProviderKey())
	d.partner("acme", "riskos", sealane.ClientSide, riskosSandbox, sealanetest.IssuerKey(),
		sealanetest.ProviderKey())
	d.movePair("k-risk", registry.Retired)
	d.movePair("k-acme", registry.Active, func(k *registry.KeyPair) { k.Partner = "risk" })
	var partner seen
	upstream := serve(t, partner.answer(200, sealedAnswer(t, `{"eval_id":"e-1"}`)))
	g := startLooking(t, d, "- name: out\n  egress: riskos\n  listen: 127.0.0.1:0\n  partner: risk\n"+
		"  environment: SANDBOX\n  upstream: "+upstream+"\n")
	if a := post(t, g.url("out")+"/api/evaluation", evaluation); a.status != 502 {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.log.wait(t, `"key":"k-risk"`, 1)
	g.wantLooked("found 1")
}

// A certificate that is on its way in verifies nothing. Our operator learns of messages that are signed with it, once
// a minute, and the partner does not: the answer is that to any other wrong signature.
func TestCertificateOnItsWayIn(t *testing.T) {
	d := newDatabase(t)
	d.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
		sealanetest.CustomerKey())
	next := nextCustomer(t)
	d.partner("next", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.KeyPair{}, next)
	move := func(to registry.State) {
		d.update(func(tx registry.Tx) error {
			c, err := tx.Certificate("c-next")
			if err != nil {
				return err
			}
			c.Partner, c.State, c.Changed = "acme", to, retiredAt
			return tx.PutCertificate(&c)
		})
	}
	c := sealanetest.CustomerConfig()
	c.Ours = next.Ours()
	token, err := testlane.New(t, c).Seal(t.Context(), []byte(evaluation))
	if err != nil {
		t.Fatal(err)
	}
	eager := `{"encrypted_request":"` + string(token) + `"}`
	move(registry.Rejected)
	g := startLooking(t, d)
	none := unidentified(t, g.send("acme", eager))
	g.wantLooked("none 1")
	for i, state := range []registry.State{registry.Received, registry.Matched, registry.Approved} {
		g.passed.Add(int64(time.Minute))
		move(state)
		for range 2 {
			if a := unidentified(t, g.send("acme", eager)); a != none {
				t.Errorf("%s: %s, want %s", state, a, none)
			}
		}
		g.wantLooked(fmt.Sprintf("found %d, none 1", i+1))
		want := fmt.Sprintf(`sealane_early_certificate_messages_total{partner="acme",route="in",state=%q} 1`, state)
		if got := g.metrics(t, "sealane_early_certificate_messages_total"); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	move(registry.Staged)
	d.asked.read(t)
	if a := g.send("acme", eager); a.status != 200 {
		t.Errorf("staged: %d %s", a.status, a.body)
	}
	log := g.logged()
	if strings.Count(log, `"level":"WARN","msg":"alarm: a message is signed with a certificate`) != 3 ||
		!strings.Contains(log, `"key":"c-next"`) || strings.Contains(log, "Accept") {
		t.Error(log)
	}
}

// The answer does not wait for a look. Four messages are kept at a time, and none that is large; the others are
// counted.
func TestLooksAreBounded(t *testing.T) {
	d := rotatedDatabase(t)
	d.movePair("k-acme", registry.Retired)
	for i := range 6 {
		d.partner(fmt.Sprint("p", i), "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
			sealanetest.CustomerKey())
	}
	reading, goOn := make(chan bool, 10), make(chan bool)
	before := func() { reading <- true; <-goOn }
	d.outside.Store(&before)
	g := startLooking(t, d)
	c := sealanetest.CustomerConfig()
	c.Theirs = testkey.Theirs(t, "p-9", testkey.RSA(t, "another provider", 2048))
	sealed := func(size int) string {
		token, err := testlane.New(t, c).Seal(t.Context(), []byte(`{"n":"`+strings.Repeat("x", size)+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		return `{"encrypted_request":"` + string(token) + `"}`
	}
	small := sealed(10)
	if a := g.send("acme", sealed(200<<10)); a.status != 400 {
		t.Fatalf("large: %d %s", a.status, a.body)
	}
	g.wantLooked("too_large 1")
	for i := range 6 {
		if a := g.send(fmt.Sprint("p", i), small); a.status != 400 { // though nothing is read
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	<-reading
	g.wantLooked("busy 2, too_large 1")
	close(goOn)
	g.wantLooked("busy 2, none 4, too_large 1")
	if a := g.send("acme", sealedEvaluation(t)); a.status != 400 { // the large one has not taken its minute
		t.Fatalf("%d %s", a.status, a.body)
	}
	g.wantLooked("busy 2, found 1, none 4, too_large 1")
	if a := g.send("p5", small); a.status != 400 { // and neither has one that was not kept
		t.Fatalf("%d %s", a.status, a.body)
	}
	g.wantLooked("busy 2, found 1, none 5, too_large 1")
}

// Without the database nothing is found, and all goes on. A route with key files has nothing to look among.
func TestLooksWithoutARegistry(t *testing.T) {
	d := rotatedDatabase(t)
	d.movePair("k-acme", registry.Retired)
	g := startLooking(t, d)
	d.gone.Store(true)
	g.log.wait(t, "the registry can't be read", 1)
	if a := g.send("acme", sealedEvaluation(t)); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.wantLooked("failed 1")

	files := &looking{running: start(t, "admin: 127.0.0.1:0\n"+ingress("http://127.0.0.1:1"),
		func(_ *running, _ *gateway.Options) {})}
	c := sealanetest.CustomerConfig()
	c.Theirs = testkey.Theirs(t, "p-9", testkey.RSA(t, "another provider", 2048))
	token, err := testlane.New(t, c).Seal(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, files.url("in")+"/api/evaluation", `{"encrypted_request":"`+string(token)+`"}`, sealedHeaders...)
	files.log.wait(t, `"msg":"request"`, 1)
	if got := files.looked(); a.status != 400 || got != "" {
		t.Errorf("key files: %d %s, looked: %s", a.status, a.body, got)
	}
}
