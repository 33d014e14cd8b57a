package gateway_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
	"github.com/sealane/sealane/sealanetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// served is a registry that gateways open as `sealane serve` does.
type served struct {
	*database
	root    string // the file of the root key
	address string // by which gateways reach it
	proxy   *proxy // on the way to PostgreSQL, or nil
	refresh string // how often gateways ask
}

// servedOnBoth runs a test with a registry in each database, which has the partner acme.
func servedOnBoth(t *testing.T, test func(t *testing.T, s *served)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "registry.db")
		test(t, newServed(t, path, path, nil))
	})
	t.Run("postgres", func(t *testing.T) {
		direct := pgtest.URL(t)
		p := newProxy(t, direct)
		test(t, newServed(t, direct, p.address(t, direct), p))
	})
}

func newServed(t *testing.T, direct, address string, p *proxy) *served {
	t.Helper()
	s := &served{root: filepath.Join(t.TempDir(), "root.key"), address: address, proxy: p,
		refresh: "20ms"}
	config := operation.Config{Database: direct, RootKey: "file:" + s.root}
	if _, err := operation.Init(t.Context(), config, operation.Person{
		ID: "anna", Name: "Anna", Email: "anna@bank.example", Roles: []registry.Role{registry.Administrator},
	}); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), direct, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.database = &database{Store: db, t: t, path: direct}
	s.partner(
		"acme", "riskos", sealane.ServerSide,
		registry.Environment{Name: "SANDBOX", Sealing: sealane.SealingOptional}, sealanetest.ProviderKey(),
		sealanetest.CustomerKey(),
	)
	s.seal("k-acme", sealanetest.ProviderKey())
	return s
}

// seal stores the private key of a key pair, and the key of API keys, under the root key.
func (s *served) seal(id string, pair sealanetest.KeyPair) {
	s.t.Helper()
	key, err := rootkey.Load(s.t.Context(), "file:"+s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.Private)
	if err != nil {
		s.t.Fatal(err)
	}
	hash, err := key.Seal(sealedHashKey, rootkey.Context{KeyID: registry.SettingHashKey, Purpose: "api-key-hash"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.update(func(tx registry.Tx) error {
		if err := tx.PutSetting(registry.SettingHashKey, hash); err != nil {
			return err
		}
		k, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		k.SealedAs++
		k.RootKey = key.ID()
		k.Sealed, err = key.Seal(pkcs8, rootkey.Context{
			Partner: k.Partner, Environment: k.Environment, KeyID: k.ID, Version: k.SealedAs, Purpose: "private-key",
		})
		return errors.Join(err, tx.PutKeyPair(&k))
	})
}

// revoke revokes the API key of acme.
func (s *served) revoke() {
	s.t.Helper()
	s.update(func(tx registry.Tx) error {
		key, err := tx.APIKey("a-acme")
		if err != nil {
			return err
		}
		key.Revoked = time.Now()
		return tx.PutAPIKey(&key)
	})
}

// lastUsed returns when the API key of acme was used last.
func (s *served) lastUsed() (at time.Time) {
	s.t.Helper()
	err := s.View(s.t.Context(), func(tx registry.Reader) error {
		key, err := tx.APIKey("a-acme")
		at = key.LastUsed
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// away makes the database unreachable, and returns how it comes back.
func (s *served) away() (back func()) {
	s.t.Helper()
	if s.proxy != nil {
		s.proxy.refuse.Store(true)
		s.proxy.cut()
		return func() { s.proxy.refuse.Store(false) }
	}
	for _, name := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(s.path+name, s.path+".away"+name); err != nil && name == "" {
			s.t.Fatal(err)
		}
	}
	return func() {
		for _, name := range []string{"-shm", "-wal", ""} {
			os.Rename(s.path+".away"+name, s.path+name)
		}
	}
}

// node is a gateway that reads a served registry.
type node struct {
	*running
	clock atomic.Int64
	asked questions
	saved event
}

func (s *served) config(t *testing.T, words string) string {
	t.Helper()
	var app seen
	return "admin: 127.0.0.1:0\nregistry: {db: '" + s.address + "', root_key: 'file:" + s.root +
		"', refresh: " + s.refresh + words + "}\nroutes:\n- name: in\n  ingress: riskos\n  listen: 127.0.0.1:0\n" +
		"  caller: api-key\n  upstream: " + serve(t, app.answer(200, `{"eval_id":"e-1"}`)) + "\n"
}

// options are those of `sealane serve`, with a clock.
func options(now func() time.Time) gateway.Options {
	return gateway.Options{Now: now, OpenRegistry: func(
		ctx context.Context, r gateway.RegistrySettings,
	) (gateway.Registry, error) {
		return operation.OpenServing(ctx, operation.Config{Database: r.DB, RootKey: r.RootKey}, r.RootKeyText)
	}}
}

// start starts a gateway, by a clock that is so far from the true time.
func (s *served) start(t *testing.T, words string, clock time.Duration) *node {
	t.Helper()
	n := &node{}
	n.clock.Store(int64(clock))
	now := func() time.Time { return time.Now().Add(time.Duration(n.clock.Load())) }
	n.running = start(t, s.config(t, words), func(_ *running, o *gateway.Options) {
		o.Now = now
		open := options(nil).OpenRegistry
		o.OpenRegistry = func(ctx context.Context, r gateway.RegistrySettings) (gateway.Registry, error) {
			opened, err := open(ctx, r)
			if err != nil {
				return nil, err
			}
			return watched{opened, &n.asked, &n.saved}, nil
		}
	})
	return n
}

// refused returns the reason why a gateway does not start.
func (s *served) refused(t *testing.T, words string, clock time.Duration) string {
	t.Helper()
	file := filepath.Join(keyFolder(t), "sealane.yaml")
	write(t, file, s.config(t, words))
	o := options(func() time.Time { return time.Now().Add(clock) })
	o.Log = &logBuffer{}
	g, err := gateway.New(t.Context(), file, o)
	if err == nil {
		g.Close()
		return ""
	}
	return err.Error()
}

// evaluate sends a sealed request as acme, and returns the status.
func (n *node) evaluate(t *testing.T) int {
	t.Helper()
	return post(t, n.url("in")+"/api/evaluation", sealedEvaluation(t),
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...).status
}

func (n *node) status(t *testing.T) string {
	t.Helper()
	return call(t, "GET", "http://"+n.addresses["admin"].String()+"/status", "").body
}

// TestRootKeyAsCredential: systemd lets a service read its credentials by an ACL, so that their mode is shown as 0440.
func TestRootKeyAsCredential(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := newServed(t, path, path, nil)
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	write(t, filepath.Join(credentials, "root"), read(t, s.root))
	if err := os.Chmod(filepath.Join(credentials, "root"), 0o440); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(s.config(t, ""), "file:"+s.root, "credential:root", 1)
	g := start(t, config, func(_ *running, o *gateway.Options) { o.OpenRegistry = options(nil).OpenRegistry })
	n := &node{running: g}
	if status := n.evaluate(t); status != 200 {
		t.Errorf("%d", status)
	}
	if err := g.Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

// proxy passes connections to PostgreSQL on, or takes their bytes and passes none on.
type proxy struct {
	net.Listener
	network, target string
	refuse, swallow atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

// newProxy listens in front of a server whose socket is in the folder of a URL's host.
func newProxy(t *testing.T, direct string) *proxy {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{network: "tcp", target: u.Host}
	if folder := u.Query().Get("host"); strings.HasPrefix(folder, "/") {
		p.network, p.target = "unix", filepath.Join(folder, ".s.PGSQL.5432")
	}
	if p.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); p.cut() })
	go p.serve()
	return p
}

// address returns the URL of the database behind the proxy.
func (p *proxy) address(t *testing.T, direct string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = p.Addr().String(), "sslmode=disable"
	return u.String()
}

func (p *proxy) serve() {
	for {
		c, err := p.Accept()
		if err != nil {
			return
		}
		if p.refuse.Load() {
			c.Close()
			continue
		}
		to, err := net.Dial(p.network, p.target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, c, to)
		p.mu.Unlock()
		// What is swallowed once is swallowed for good, as by a network that has lost its state.
		var gone atomic.Bool
		go p.pass(to, c, &gone)
		go p.pass(c, to, &gone)
	}
}

func (p *proxy) pass(to, from net.Conn, gone *atomic.Bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if p.swallow.Load() {
			gone.Store(true)
		}
		if n > 0 && !gone.Load() {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = errors.Join(err, failed)
			}
		}
		if err != nil {
			if !gone.Load() {
				to.Close()
			}
			if !errors.Is(err, io.EOF) {
				from.Close()
			}
			return
		}
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
