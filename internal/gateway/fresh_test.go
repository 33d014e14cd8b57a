package gateway_test

import (
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/sealanetest"
)

// fresh is a gateway whose registry has partners, and a clock that the test sets.
type fresh struct {
	*running
	d     *database
	clock atomic.Int64
	began time.Time
}

func startFresh(t *testing.T, words string, partners ...string) *fresh {
	t.Helper()
	f := &fresh{d: newDatabase(t), began: time.Now()}
	f.d.words = words
	for _, name := range partners {
		f.d.partner(
			name, "riskos", sealane.ServerSide,
			registry.Environment{Name: "SANDBOX", Sealing: sealane.SealingOptional},
			sealanetest.ProviderKey(), sealanetest.CustomerKey(),
		)
	}
	var app seen
	f.running = start(
		t, "admin: 127.0.0.1:0\n"+f.d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key"),
		f.d.open(func() time.Time { return f.began.Add(time.Duration(f.clock.Load())) }),
	)
	return f
}

// get returns the status of a partner's request.
func (f *fresh) get(t *testing.T, partner string) int {
	t.Helper()
	return call(t, "GET", f.url("in")+"/x", "", "Authorization", "Bearer api-key-of-"+partner).status
}

func (f *fresh) admin(t *testing.T, path string) answer {
	t.Helper()
	return call(t, "GET", "http://"+f.addresses["admin"].String()+path, "")
}

// TestChangesKeepTheRest: a change of one partner opens no private key of another again.
func TestChangesKeepTheRest(t *testing.T) {
	f := startFresh(t, "", "acme", "other")
	for range 2 {
		a := post(t, f.url("in")+"/api/evaluation", sealedEvaluation(t),
			append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	opened := f.d.unsealed.Load()
	f.d.update(func(tx registry.Tx) error {
		key, err := tx.APIKey("a-other")
		if err != nil {
			return err
		}
		key.Revoked = f.began
		return tx.PutAPIKey(&key)
	})
	f.d.asked.read(t)
	if status := f.get(t, "other"); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
	if a := post(t, f.url("in")+"/api/evaluation", sealedEvaluation(t),
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if again := f.d.unsealed.Load(); again != opened {
		t.Errorf("%d private keys were opened again", again-opened)
	}
}

// TestDamagedRowIsNamed: a row that somebody damages in the database fails its own lane within ten
// minutes, and is counted and named. The others live.
func TestDamagedRowIsNamed(t *testing.T) {
	f := startFresh(t, "", "acme", "other")
	db, err := sql.Open("sqlite", f.d.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE key_pair SET spki = 'x' WHERE id = 'k-acme'"); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(int64(11 * time.Minute)) // all is read
	f.log.wait(t, "a row of the registry is damaged", 1)
	f.d.asked.read(t)
	if status := f.get(t, "acme"); status != 503 {
		t.Errorf("the lane of the row: %d", status)
	}
	if status := f.get(t, "other"); status != 200 {
		t.Errorf("the other lane: %d", status)
	}
	named := `key pair \"k-acme\": the stored row is damaged`
	if a := f.admin(t, "/status"); !strings.Contains(a.body, named) || !strings.Contains(a.body, `"damaged": 1`) {
		t.Error(a.body)
	}
	if a := f.admin(t, "/metrics"); !strings.Contains(a.body, "sealane_registry_damaged_rows 1\n") {
		t.Error("the metric does not count it")
	}
	for _, line := range []string{
		"a row of the registry is damaged", "changed in the database itself", "partner acme",
	} {
		if !strings.Contains(f.log.String(), line) {
			t.Errorf("the log lacks %q", line)
		}
	}
}

// TestWholeCheckHoldsNothingUp: while all is read to see whether anything was missed, a revocation gets in
// force, and it stays in force with what the check has found.
func TestWholeCheckHoldsNothingUp(t *testing.T) {
	f := startFresh(t, "", "acme", "other")
	db, err := sql.Open("sqlite", f.d.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE key_pair SET spki = 'x' WHERE id = 'k-other'"); err != nil {
		t.Fatal(err)
	}
	entered, goOn := make(chan bool), make(chan bool)
	stop := sync.OnceFunc(func() { close(goOn) })
	defer stop()
	whole := func() { entered <- true; <-goOn }
	f.d.whole.Store(&whole)
	f.clock.Add(int64(11 * time.Minute))
	<-entered
	err = f.d.Update(t.Context(), func(tx registry.Tx) error {
		key, err := tx.APIKey("a-acme")
		if err != nil {
			return err
		}
		key.Revoked = f.began
		return errors.Join(tx.PutAPIKey(&key), audit.Write(tx, audit.Record{
			Time: f.began, Actor: "test", Action: "test", Subject: "apikey/a-acme", Partner: "acme",
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	f.d.asked.read(t)
	if acme, other := f.get(t, "acme"), f.get(t, "other"); acme != 401 || other != 200 {
		t.Errorf("while all is read: acme, whose key is revoked, %d; the other %d", acme, other)
	}
	stop()
	f.log.wait(t, "changed in the database itself", 1)
	f.d.asked.read(t)
	if acme, other := f.get(t, "acme"), f.get(t, "other"); acme != 401 || other != 503 {
		t.Errorf("when all was read: acme %d, the other, whose row is damaged, %d", acme, other)
	}
	if log := f.log.String(); strings.Contains(log, "partner acme") || !strings.Contains(log, "partner other") {
		t.Error(log)
	}
}

// TestAlarm: a database that does not answer is an alarm after a minute, and is reported once until
// then.
func TestAlarm(t *testing.T) {
	f := startFresh(t, "", "acme")
	f.d.gone.Store(true)
	failed := func() bool { return strings.Contains(f.admin(t, "/status").body, "the database is gone") }
	f.d.asked.read(t)
	if !failed() {
		t.Error("the status does not say that the database is gone")
	}
	if body := f.admin(t, "/status").body; strings.Contains(body, "alarm") {
		t.Error(body)
	}
	f.clock.Add(int64(90 * time.Second))
	f.log.wait(t, "alarm: the registry can't be read", 1)
	if body := f.admin(t, "/status").body; !strings.Contains(body, `"alarm": true`) {
		t.Error(body)
	}
	if body := f.admin(t, "/metrics").body; !strings.Contains(body, "sealane_registry_age_seconds 9") {
		t.Error("the metric does not say for how long")
	}
	f.d.gone.Store(false)
	f.log.wait(t, "can be read again", 1)
	if failed() {
		t.Error("the status says that the database is gone")
	}
	if n := strings.Count(f.log.String(), "the registry can't be read;"); n != 2 {
		t.Errorf("it was reported %d times", n)
	}
}

// TestOnlyItsEnvironments: a node has no lanes of environments that it is not told to read.
func TestOnlyItsEnvironments(t *testing.T) {
	f := startFresh(t, ", environments: [PROD]", "acme")
	if status := f.get(t, "acme"); status != 401 {
		t.Errorf("a caller of SANDBOX: %d", status)
	}
	f.d.update(func(tx registry.Tx) error {
		p := registry.Environment{Partner: "acme", Name: "PROD", Sealing: sealane.SealingOptional}
		k := apiKeyOf(t, sealedHashKey, "prod", "acme", p)
		if err := tx.PutEnvironment(&p); err != nil {
			return err
		}
		return tx.PutAPIKey(&k)
	})
	f.d.asked.read(t)
	f.clock.Add(int64(time.Second)) // refused callers are few a second
	if status := f.get(t, "prod"); status != 200 {
		t.Errorf("a caller of PROD: %d", status)
	}
	f.clock.Add(int64(time.Second))
	if status := f.get(t, "acme"); status != 401 {
		t.Errorf("a caller of SANDBOX: %d", status)
	}
	dir := keyFolder(t)
	route := "partner: acme\n  environment: SANDBOX\n  caller: api-key"
	write(t, dir+"/sealane.yaml", f.d.api("http://127.0.0.1:1", route))
	if _, err := gateway.New(t.Context(), dir+"/sealane.yaml", gateway.Options{Log: &logBuffer{}}); err == nil ||
		!strings.Contains(err.Error(), "registry.environments has PROD") {
		t.Error(err)
	}
}
