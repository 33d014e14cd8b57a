package gateway_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealanetest"
)

// database is a registry in SQLite whose private keys are those of sealanetest.
type database struct {
	*store.Store
	t    *testing.T
	path string
	gone atomic.Bool // it can't be read
	uses atomic.Int64

	asked questions

	whole   atomic.Pointer[func()] // is called while all lanes are read to check them
	outside atomic.Pointer[func()] // is called before the keys of a lane are read that do not count

	words    string       // more words of the configuration's registry
	unsealed atomic.Int64 // private keys that were opened
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	path := t.TempDir() + "/registry.db"
	s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &database{Store: s, t: t, path: path}
}

// Lanes implements [gateway.Registry].
func (d *database) Lanes() *lanes.Reader {
	return &lanes.Reader{Store: d, OpenHashKey: openHashKey, Open: func(k lanes.KeyPair) (keyring.Private, error) {
		d.unsealed.Add(1)
		for _, known := range []sealanetest.KeyPair{sealanetest.ProviderKey(), sealanetest.CustomerKey(),
			sealanetest.IssuerKey()} {
			if known.ID == k.KeyID {
				return known.Private, nil
			}
		}
		return nil, fmt.Errorf("key %s is under another root key", k.KeyID)
	}}
}

// openHashKey opens the key of the API keys that partner adds.
func openHashKey(sealed []byte) (*lanes.HashKey, error) { return lanes.NewHashKey(sealed) }

// sealedHashKey is that key. It is not encrypted.
var sealedHashKey = bytes.Repeat([]byte{7}, lanes.HashKeySize)

// apiKeyOf returns the row of the API key of that name, which is a partner's.
func apiKeyOf(t *testing.T, sealed []byte, name, partner string, env registry.Environment) registry.APIKey {
	t.Helper()
	hash, err := openHashKey(sealed)
	if err != nil {
		t.Fatal(err)
	}
	token := hash.Token("api-key-of-" + name)
	k := lanes.APIKey{ID: "a-" + name, Partner: partner, Environment: env.Name, HMAC: token[:], Sealing: env.Sealing}
	binding := hash.Bind(k)
	return registry.APIKey{
		ID: k.ID, Partner: k.Partner, Environment: k.Environment, Sealing: k.Sealing,
		HMAC: k.HMAC, Binding: binding[:],
	}
}

var errGone = errors.New("the database is gone")

// Version implements [lanes.Store].
func (d *database) Version(ctx context.Context) (lanes.Version, error) {
	d.asked.happened()
	if d.gone.Load() {
		return lanes.Version{}, errGone
	}
	return d.Store.Version(ctx)
}

// ReadLanes implements [lanes.Store].
func (d *database) ReadLanes(ctx context.Context, s lanes.Scope, read func(lanes.Rows, lanes.Extent) error) error {
	if d.gone.Load() {
		return errGone
	}
	return d.Store.ReadLanes(ctx, s, func(rows lanes.Rows, x lanes.Extent) error {
		if whole := d.whole.Load(); whole != nil && s.Whole {
			(*whole)()
		}
		return read(rows, x)
	})
}

// Outside implements [lanes.Store].
func (d *database) Outside(ctx context.Context, name lanes.Name) (lanes.Outside, error) {
	if before := d.outside.Load(); before != nil {
		(*before)()
	}
	return d.Store.Outside(ctx, name)
}

// UsedAPIKeys implements [lanes.Store].
func (d *database) UsedAPIKeys(ctx context.Context, at map[string]time.Time) error {
	d.uses.Add(1)
	return d.Store.UsedAPIKeys(ctx, at)
}

// UseRootKey implements [gateway.Registry].
func (d *database) UseRootKey(context.Context, string) error { return nil }

// SaveLanes implements [gateway.Registry].
func (d *database) SaveLanes(string, *lanes.Reader, *lanes.Snapshot, time.Time) error {
	return errors.ErrUnsupported
}

// LoadLanes implements [gateway.Registry].
func (d *database) LoadLanes(string, *lanes.Reader) (*lanes.Snapshot, time.Time, error) {
	return nil, time.Time{}, errors.ErrUnsupported
}

// LastPass implements [gateway.Registry].
func (d *database) LastPass(context.Context, time.Time) (last time.Time, stopped bool, err error) {
	return last, false, nil
}

// Close implements [gateway.Registry]. The test closes the store.
func (d *database) Close() error { return nil }

// open makes a gateway use the database, and replaces the time.
func (d *database) open(now func() time.Time) func(*running, *gateway.Options) {
	return func(_ *running, o *gateway.Options) {
		o.Now = now
		o.OpenRegistry = func(_ context.Context, s gateway.RegistrySettings) (gateway.Registry, error) {
			if s.DB != "sqlite:"+d.path || s.RootKey != "env:ROOT" {
				return nil, fmt.Errorf("settings are %+v", s)
			}
			return d, nil
		}
	}
}

// update changes the database, with a record that does not say what was changed.
func (d *database) update(change func(registry.Tx) error) {
	d.t.Helper()
	record := audit.Record{Time: time.Now(), Actor: "test", Action: "test", Subject: "test"}
	err := d.Update(d.t.Context(), func(tx registry.Tx) error {
		return errors.Join(change(tx), audit.Write(tx, record))
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// partner adds a partner with an environment, our key pair and its certificate, and an API key.
func (d *database) partner(
	name, profile string,
	side sealane.Side,
	env registry.Environment,
	ours, theirs sealanetest.KeyPair,
) {
	d.t.Helper()
	env.Partner = name
	if env.Sealing == "" {
		env.Sealing = sealane.SealingRequired
	}
	spki := func(k *rsa.PublicKey) ([]byte, []byte) {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			d.t.Fatal(err)
		}
		sum := sha256.Sum256(der)
		return der, sum[:]
	}
	d.update(func(tx registry.Tx) error {
		apiKey := apiKeyOf(d.t, sealedHashKey, name, name, env)
		err := errors.Join(
			tx.PutSetting(registry.SettingHashKey, sealedHashKey),
			tx.PutPartner(&registry.Partner{ID: name, Name: name, Profile: profile, Side: side}),
			tx.PutEnvironment(&env),
			tx.PutAPIKey(&apiKey),
		)
		if ours.Private != nil {
			k := registry.KeyPair{
				ID:          "k-" + name,
				Profile:     profile,
				Partner:     name,
				Environment: env.Name,
				KeyID:       ours.ID,
				State:       registry.Active,
			}
			k.SPKI, k.SPKISHA256 = spki(&ours.Private.PublicKey)
			err = errors.Join(err, tx.PutKeyPair(&k))
		}
		if theirs.Certificate != nil {
			c := registry.NewCertificate(registry.Certificate{
				Profile: profile, Partner: name, Environment: env.Name, Owner: registry.Theirs, State: registry.Active,
				KeyID: theirs.ID,
			}, []*x509.Certificate{theirs.Certificate})
			c.ID = "c-" + name
			err = errors.Join(err, tx.PutCertificate(&c))
		}
		return err
	})
}

// api returns the configuration of a provider whose lanes are in the database.
func (d *database) api(upstream string, more ...string) string {
	return "registry: {db: " + d.path + ", root_key: env:ROOT, refresh: 20ms, stale_after: 1h" + d.words + "}\n" +
		"routes:\n- name: in\n  ingress: riskos\n  listen: 127.0.0.1:0\n" +
		words(append([]string{"upstream: " + upstream}, more...))
}

var riskosSandbox = registry.Environment{Name: "SANDBOX"}

// TestAPIKeys: callers are known by the API keys of the registry, which stop at the gateway.
func TestAPIKeys(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(), sealanetest.CustomerKey(),
	)
	d.partner("new", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.KeyPair{}, sealanetest.KeyPair{})
	d.partner(
		"issuer", "rdx", sealane.ServerSide,
		registry.Environment{Name: "STAG", SenderAuth: sealane.SenderUnauthenticated}, sealanetest.KeyPair{},
		sealanetest.KeyPair{},
	)
	var app seen
	url := serve(t, app.answer(200, `{"eval_id":"e-1"}`))
	g := start(t, d.api(url, "caller: api-key"), d.open(nil))
	send := func(headers ...string) answer {
		return post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t), append(headers, sealedHeaders...)...)
	}
	if a := send("Authorization", "Bearer api-key-of-acme"); a.status != 200 ||
		opened(t, a.body) != `{"eval_id":"e-1"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	r, _ := app.last(t)
	if r.Header.Get("Authorization") != "" || r.Header.Get("Sealane-Partner") != "acme" ||
		r.Header.Get("Sealane-Signer") != sealanetest.CustomerKeyID {
		t.Error(r.Header)
	}
	answers := map[string]bool{}
	for _, headers := range [][]string{
		nil, {"Authorization", "Bearer unknown"}, {"Authorization", "Basic api-key-of-acme"},
		{"Authorization", "Bearer"}, {"Authorization", ""},
		{"Authorization", "Bearer api-key-of-issuer"}, // of another profile
	} {
		a := send(headers...)
		a.header.Del("Date")
		answers[fmt.Sprint(a)] = true
		if a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%v: %d %s", headers, a.status, a.body)
		}
	}
	if len(answers) != 1 {
		t.Errorf("unknown callers can tell why: %v", answers)
	}
	if a := send("Authorization", "Bearer api-key-of-new"); a.status != 400 ||
		!strings.Contains(a.body, "not supported for this api-key") {
		t.Errorf("keys were not exchanged: %d %s", a.status, a.body)
	}
	if app.count() != 1 {
		t.Errorf("%d requests arrived", app.count())
	}
	if log := g.logged(); !strings.Contains(log, `"caller":"api-key a-acme"`) || d.uses.Load() == 0 {
		t.Errorf("uses are not stored, or not logged: %s", log)
	}
	forwarding := start(t, d.api(url, "caller: api-key", "forward_authorization: true"), d.open(nil))
	post(
		t,
		forwarding.url("in")+"/api/evaluation",
		sealedEvaluation(t),
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
	if r, _ := app.last(t); r.Header.Get("Authorization") != "Bearer api-key-of-acme" {
		t.Error(r.Header)
	}
}

// TestAccounts: a proxy in front names the account, from its address only.
func TestAccounts(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide,
		registry.Environment{Name: "SANDBOX", Account: "acc-1", Sealing: sealane.SealingOptional},
		sealanetest.ProviderKey(), sealanetest.CustomerKey(),
	)
	var app seen
	url := serve(t, app.answer(200, `{}`))
	for from, want := range map[string]int{"127.0.0.1": 200, "10.0.0.0/8": 401} {
		g := start(t, d.api(url, "caller: {account_header: X-Account, from: "+from+"}"), d.open(nil))
		if a := call(t, "GET", g.url("in")+"/x", "", "X-Account", "acc-1", "X-Forwarded-For",
			"192.0.2.7"); a.status != want {
			t.Errorf("%s: %d", from, a.status)
		}
		if a := call(t, "GET", g.url("in")+"/x", "", "X-Account", "acc-2"); a.status != 401 {
			t.Errorf("%s: another account: %d", from, a.status)
		}
	}
	if r, _ := app.last(t); r.Header.Get("X-Account") != "" ||
		r.Header.Get("X-Forwarded-For") != "192.0.2.7, 127.0.0.1" {
		t.Error(r.Header)
	}
	tight := start(
		t,
		d.api(url, "caller: {account_header: X-Account, from: 127.0.0.1}", "sealing: required", "max_payload: 1KiB"),
		d.open(nil),
	)
	if a := call(t, "GET", tight.url("in")+"/x", "", "X-Account", "acc-1"); a.status != 400 {
		t.Errorf("a route that tightens: %d %s", a.status, a.body)
	}
	big := strings.Replace(sealedEvaluation(t), "{", "{"+strings.Repeat(" ", 60<<10), 1)
	if a := post(t, tight.url("in")+"/api/evaluation", big,
		append([]string{"X-Account", "acc-1"}, sealedHeaders...)...); a.status != 413 {
		t.Errorf("a smaller payload: %d %s", a.status, a.body)
	}
}

// TestRevocation: what the registry has changed is in force after a refresh; a database that is gone costs
// nothing until stale_after, and then every lane fails closed.
func TestRevocation(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide, registry.Environment{Name: "SANDBOX", Sealing: sealane.SealingOptional},
		sealanetest.ProviderKey(), sealanetest.CustomerKey(),
	)
	var clock atomic.Int64
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(clock.Load())) }
	var app seen
	g := start(t, "admin: 127.0.0.1:0\n"+d.api(serve(t, app.answer(200, `{}`)), "caller: api-key"), d.open(now))
	get := func() int {
		return call(t, "GET", g.url("in")+"/x", "", "Authorization", "Bearer api-key-of-acme").status
	}
	ready := func() answer { return call(t, "GET", "http://"+g.addresses["admin"].String()+"/readyz", "") }
	d.gone.Store(true)
	clock.Store(int64(59 * time.Minute))
	if status, a := get(), ready(); status != 200 || a.status != 200 {
		t.Errorf("without the database: %d, %v", status, a)
	}
	clock.Store(int64(61 * time.Minute))
	if status, a := get(), ready(); status != 503 || a.status != 503 || !strings.Contains(a.body, "stale_after") {
		t.Errorf("without the database for too long: %d, %v", status, a)
	}
	g.log.wait(t, "the database is gone", 1)
	d.gone.Store(false)
	g.log.wait(t, "the registry can be read again", 1)
	if status := get(); status != 200 {
		t.Errorf("with the database again: %d", status)
	}
	d.update(func(tx registry.Tx) error {
		key, err := tx.APIKey("a-acme")
		if err != nil {
			return err
		}
		key.Revoked = began
		return tx.PutAPIKey(&key)
	})
	d.asked.read(t)
	if status := get(); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
}

// TestWrongRootKey (pitfall 39): keys that can't be opened show at start.
func TestWrongRootKey(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide, riskosSandbox,
		sealanetest.KeyPair{ID: "other", Private: sealanetest.IssuerKey().Private}, sealanetest.CustomerKey(),
	)
	dir := keyFolder(t)
	write(t, dir+"/sealane.yaml", d.api("http://127.0.0.1:1", "caller: api-key"))
	o := gateway.Options{Log: &logBuffer{}}
	d.open(nil)(nil, &o)
	if _, err := gateway.New(t.Context(), dir+"/sealane.yaml", o); err == nil ||
		!strings.Contains(err.Error(), ":1: registry: private key of the lane with acme") {
		t.Error(err)
	}
}
