package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

// registryFlags are the flags that open the registry and authenticate the caller.
type registryFlags struct {
	db, rootKey, tokenFile string
	anchors                []string
	json                   bool
	reason                 string

	anchorer *audit.Anchorer // set by open; nil: the head is not anchored
	unopened []error         // anchors that can't be used
}

// addRegistryFlags adds the flags to all commands of a group.
func addRegistryFlags(group *cobra.Command) *registryFlags {
	f := &registryFlags{}
	f.addTo(group.PersistentFlags())
	return f
}

func (f *registryFlags) addTo(set *pflag.FlagSet) {
	set.StringVar(&f.db, "db", "",
		"the registry: sqlite:FILE or postgres://… (default $SEALANE_DB, else sqlite:sealane.db)")
	set.StringVar(&f.rootKey, "root-key", "",
		"key that encrypts private keys: file:PATH, env:NAME or passphrase: "+
			"(default $SEALANE_ROOT_KEY, else file:sealane.rootkey)")
	set.StringVar(&f.tokenFile, "token-file", "",
		"file with your personal token (default: the token itself in $SEALANE_TOKEN)")
	set.StringArrayVar(&f.anchors, "anchor", nil,
		"second place for the audit log's head: file:PATH, syslog:, https://… "+
			"(default $SEALANE_ANCHOR, several with blanks between)")
	set.BoolVar(&f.json, "json", false, "write JSON for programs")
	set.StringVar(&f.reason, "reason", "", "reason for the change, for the audit log")
}

func (f *registryFlags) database() string {
	return cmp.Or(f.db, os.Getenv("SEALANE_DB"), "sqlite:sealane.db")
}

// open opens the registry. With create, it makes one if there is none.
func (f *registryFlags) open(c *cobra.Command, create bool) (*registry.Registry, func() error, error) {
	address := f.database()
	if path, file := sqliteFile(address); file && !create {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("there is no registry at %s (--db, $SEALANE_DB); "+
				"to make one, add its first person: sealane person add NAME --role administrator", path)
		}
	}
	db, err := store.Open(c.Context(), address, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	r := &registry.Registry{Store: db}
	if r.RSA, err = chosenEngine(c); err == nil {
		err = f.anchor(c, r)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return r, db.Close, nil
}

// sqliteFile returns the file of an SQLite address.
func sqliteFile(address string) (path string, file bool) {
	path, named := strings.CutPrefix(address, "sqlite:")
	scheme, _, found := strings.Cut(path, ":")
	return path, named || !found || strings.ContainsAny(scheme, `/\.`) || len(scheme) == 1
}

// errNobody means that the caller has named no token at all.
var errNobody = errors.New("say who you are: put your personal token into $SEALANE_TOKEN, " +
	"or name its file by --token-file (to add the first person: sealane person add NAME --role administrator)")

// token returns the caller's token, or errNobody.
func (f *registryFlags) token(c *cobra.Command) (string, error) {
	if !c.Flags().Changed("token-file") {
		if token := os.Getenv("SEALANE_TOKEN"); token != "" {
			return token, nil
		}
		return "", errNobody
	}
	data, err := rootkey.ReadSecret(f.tokenFile, 4<<10)
	defer clear(data)
	token := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	switch {
	case errors.Is(err, rootkey.ErrExposed):
		err = fmt.Errorf("%w, and if anybody may have read it, have your token replaced (sealane person token)", err)
	case err == nil && token == "":
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", f.tokenFile, err)
	}
	return token, nil
}

// sessionWork is the work of a command that needs a session of its caller.
type sessionWork func(c *cobra.Command, s *registry.Session, args []string) error

// withSession returns the RunE of a command.
func (f *registryFlags) withSession(work sessionWork) func(*cobra.Command, []string) error {
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
		s, err := r.Login(c.Context(), token)
		if err != nil {
			return err
		}
		return asRefused(work(c, s.WithReason(f.reason), args))
	}
}

// withKeys is like withSession for a command that uses private keys of the registry.
func (f *registryFlags) withKeys(work sessionWork) func(*cobra.Command, []string) error {
	return f.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := f.withRoot(c, s, s.SetRoot); err != nil {
			return &exit{exitFailed, err}
		}
		return work(c, s, args)
	})
}

// withView is like withSession for a command that changes nothing. It needs the
// caller's token all the same: who our partners are is not public.
func (f *registryFlags) withView(
	work func(c *cobra.Command, v view, args []string) error,
) func(*cobra.Command, []string) error {
	return f.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return work(c, view{s.Registry}, args)
	})
}

// view is a registry for commands that change nothing.
type view struct{ registry *registry.Registry }

// View reads the registry as it is at one moment.
func (v view) View(ctx context.Context, read func(registry.Tx) error) error {
	return v.registry.Store.View(ctx, read)
}

// Status returns the state of a partner's certificates, and of ours for the partner.
func (v view) Status(ctx context.Context, partner, environment string) ([]exchange.Step, error) {
	return exchange.Status(ctx, v.registry, lanes.Name{Partner: partner, Environment: environment})
}

// Inventory returns the rows of the inventory.
func (v view) Inventory(ctx context.Context) iter.Seq2[registry.InventoryRow, error] {
	return v.registry.Inventory(ctx)
}

// anchor makes r write each new head of the audit log to the anchors that the flags
// name. A failure is reported, but the command goes on: the change is recorded.
func (f *registryFlags) anchor(c *cobra.Command, r *registry.Registry) error {
	addresses := f.anchors
	if len(addresses) == 0 {
		addresses = strings.Fields(os.Getenv("SEALANE_ANCHOR"))
	}
	if len(addresses) == 0 {
		return nil
	}
	a := &audit.Anchorer{}
	for _, address := range addresses {
		one, err := audit.OpenAnchor(address)
		if err != nil {
			warn(c, "the audit log's head is not anchored there: %s", err)
			f.unopened = append(f.unopened, err)
			continue
		}
		a.Anchors = append(a.Anchors, one)
	}
	f.anchorer = a
	return r.AnchorWith(c.Context(), a, func(err error) {
		warn(c, "the change is recorded, but the audit log's head could not be anchored: %s", err)
	})
}
