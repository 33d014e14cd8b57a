package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

// registryFlags are the flags that open the registry and authenticate the caller.
type registryFlags struct {
	db, rootKey, tokenFile string
	anchors                []string
	anchorEvery            int
	anchorInterval         time.Duration
	json                   bool
	reason                 string

	anchorer *audit.Anchorer // nil: the head is not anchored; see anchor
	unopened []error         // anchors that can't be used
}

// addRegistryFlags adds the flags to all commands of a group.
func addRegistryFlags(group *cobra.Command) *registryFlags {
	f := &registryFlags{}
	f.addTo(group.PersistentFlags())
	return f
}

func (f *registryFlags) addTo(set *pflag.FlagSet) {
	set.StringVar(&f.db, "db", "", "the registry: sqlite:FILE or postgres://… (default $SEALANE_DB, else sqlite:sealane.db)")
	set.StringVar(&f.rootKey, "root-key", "", "key under which private keys are kept: file:PATH, env:NAME or passphrase: (default $SEALANE_ROOT_KEY, else file:sealane.rootkey)")
	set.StringVar(&f.tokenFile, "token-file", "", "file with your personal token (default: the token itself in $SEALANE_TOKEN)")
	set.StringArrayVar(&f.anchors, "anchor", nil, "where the audit log's head is written besides: file:PATH, syslog:, https://… (default $SEALANE_ANCHOR, several with blanks between)")
	set.IntVar(&f.anchorEvery, "anchor-every", 0, "write the head when it is so many changes further; 0: at each, unless there is an interval")
	set.DurationVar(&f.anchorInterval, "anchor-interval", 0, "write the head when so long has passed since the last, such as 1h")
	set.BoolVar(&f.json, "json", false, "write JSON for programs")
	set.StringVar(&f.reason, "reason", "", "why: goes into the audit log")
}

func orEnvironment(value, name, otherwise string) string {
	if value != "" {
		return value
	}
	if value = os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// open opens the registry that is there; create makes one where there is none.
func (f *registryFlags) open(c *cobra.Command, create bool) (*registry.Registry, func() error, error) {
	address := orEnvironment(f.db, "SEALANE_DB", "sqlite:sealane.db")
	if path, file := sqliteFile(address); file && !create {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("there is no registry at %s (--db, $SEALANE_DB); the first person founds one: sealane person add NAME --role administrator", path)
		}
	}
	s, err := store.Open(c.Context(), address, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	r := &registry.Registry{Store: s}
	if r.RSA, err = chosenEngine(c); err == nil {
		err = f.anchor(c, r)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return r, s.Close, nil
}

// sqliteFile gives the file of an address, if it is one.
func sqliteFile(address string) (path string, file bool) {
	path, named := strings.CutPrefix(address, "sqlite:")
	scheme, _, found := strings.Cut(path, ":")
	return path, named || !found || strings.ContainsAny(scheme, `/\.`) || len(scheme) == 1
}

// errNobody says that the caller has named no credential at all.
var errNobody = errors.New("say who you are: put your personal token into $SEALANE_TOKEN, or name its file by --token-file (the first person is added by: sealane person add NAME --role administrator)")

// token gives the caller's credential, or errNobody.
func (f *registryFlags) token(c *cobra.Command) (string, error) {
	if !c.Flags().Changed("token-file") {
		if token := os.Getenv("SEALANE_TOKEN"); token != "" {
			return token, nil
		}
		return "", errNobody
	}
	data, err := rootkey.ReadSecret(f.tokenFile, 4<<10)
	defer clear(data)
	if errors.Is(err, rootkey.ErrExposed) {
		return "", fmt.Errorf("token file %s: %w, and if anybody may have read it, have your token replaced (sealane person token)", f.tokenFile, err)
	}
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", f.tokenFile, err)
	}
	token := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if token == "" {
		return "", fmt.Errorf("token file %s: it is empty", f.tokenFile)
	}
	return token, nil
}

// withSession returns the work of a command that needs a session of its caller.
func (f *registryFlags) withSession(work func(c *cobra.Command, d *registry.Session, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) (err error) {
		token, err := f.token(c)
		if err != nil {
			return err
		}
		r, done, err := f.open(c, false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		d, err := r.Login(c.Context(), token)
		if err != nil {
			return err
		}
		return asRefused(work(c, d, args))
	}
}

// withKeys is like withSession for a command that uses private keys of the registry.
func (f *registryFlags) withKeys(work func(c *cobra.Command, d *registry.Session, args []string) error) func(*cobra.Command, []string) error {
	return f.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := f.withRoot(c, d, d.SetRoot); err != nil {
			return &exit{exitFailed, err}
		}
		return work(c, d, args)
	})
}

// view is a registry for commands that change nothing.
type view struct{ registry *registry.Registry }

// View reads the registry as it is at one moment.
func (v view) View(ctx context.Context, read func(registry.Tx) error) error {
	return v.registry.Store.View(ctx, read)
}

// Status returns where a partner's certificates, and ours for the partner, are.
func (v view) Status(ctx context.Context, partner, environment string) ([]exchange.Step, error) {
	return exchange.Status(ctx, v.registry, partner, environment)
}

// Inventory calls yield with each row of the inventory.
func (v view) Inventory(ctx context.Context, yield func(registry.InventoryRow) error) error {
	return v.registry.Inventory(ctx, yield)
}

// withView is like withSession for a command that changes nothing. It needs the
// caller's token all the same: who our partners are is not public.
func (f *registryFlags) withView(work func(c *cobra.Command, v view, args []string) error) func(*cobra.Command, []string) error {
	return f.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		return work(c, view{d.Registry}, args)
	})
}

// withRoot loads the root key and gives it to use.
func (f *registryFlags) withRoot(c *cobra.Command, d *registry.Session, use func(context.Context, *rootkey.Key, []byte) error) error {
	spec := orEnvironment(f.rootKey, "SEALANE_ROOT_KEY", "file:sealane.rootkey")
	key, parameters, err := loadRoot(c, d.Registry, spec, false)
	if err == nil {
		return use(c.Context(), key, parameters)
	}
	if errors.Is(err, rootkey.ErrExposed) {
		return err
	}
	has, failed := d.HasRoot(c.Context())
	switch {
	case failed != nil:
		return errors.Join(err, failed)
	case has: // another one would open nothing
		return fmt.Errorf("%w; the registry's private keys are sealed under a root key already: say where it is (--root-key, $SEALANE_ROOT_KEY), or bring its copy back", err)
	}
	return fmt.Errorf("%w; %s", err, howToMakeRoot)
}

const howToMakeRoot = "make one: sealane rootkey create FILE"

// loadRoot gives the root key that spec names, with the parameters of its
// passphrase where it is made from one. next asks for one to rotate to.
func loadRoot(c *cobra.Command, r *registry.Registry, spec string, next bool) (*rootkey.Key, []byte, error) {
	if !strings.HasPrefix(spec, "passphrase:") {
		key, err := rootkey.Load(c.Context(), spec)
		return key, nil, err
	}
	passphrase, err := rootPassphrase(spec)
	if err != nil {
		return nil, nil, err
	}
	defer clear(passphrase)
	parameters, pending, err := r.RootParameters(c.Context())
	if err != nil {
		return nil, nil, err
	}
	if next {
		parameters = pending // of a rotation that was not finished
	}
	if len(parameters) == 0 {
		return rootkey.NewPassphrase(passphrase)
	}
	key, err := rootkey.FromPassphrase(passphrase, parameters)
	return key, parameters, err
}

// rootPassphrase reads the variable that "passphrase:NAME" names.
func rootPassphrase(spec string) ([]byte, error) {
	name := orWord(strings.TrimPrefix(spec, "passphrase:"), "SEALANE_ROOT_PASSPHRASE")
	if passphrase := os.Getenv(name); passphrase != "" {
		return []byte(passphrase), nil
	}
	return nil, fmt.Errorf("the root key's passphrase is not in $%s", name)
}

// anchor has each new head of the audit log written where the flags say. That it
// can't be is said, and holds nothing up: the change is recorded.
func (f *registryFlags) anchor(c *cobra.Command, r *registry.Registry) error {
	addresses := f.anchors
	if len(addresses) == 0 {
		addresses = strings.Fields(os.Getenv("SEALANE_ANCHOR"))
	}
	if len(addresses) == 0 {
		return nil
	}
	a := &audit.Anchorer{Every: f.anchorEvery, Interval: f.anchorInterval}
	for _, address := range addresses {
		one, err := audit.OpenAnchor(address)
		if err != nil { // it holds up nothing, not even here
			fmt.Fprintf(c.ErrOrStderr(), "sealane: the audit log's head is not anchored there: %s\n", printableLines(err.Error()))
			f.unopened = append(f.unopened, err)
			continue
		}
		a.Anchors = append(a.Anchors, one)
	}
	f.anchorer = a
	return r.AnchorWith(c.Context(), a, func(err error) {
		fmt.Fprintf(c.ErrOrStderr(), "sealane: the change is recorded, but the audit log's head could not be anchored: %s\n", printableLines(err.Error()))
	})
}
