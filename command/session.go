package command

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/internal/operation"
)

// registryFlags are the flags that open the registry and authenticate the caller. Help shows
// them in one place, see addHelp.
type registryFlags struct {
	db, rootKey, tokenFile string
	anchors                []string
	json                   bool
	reason                 string
}

// shared marks flags that help does not repeat for each command.
const shared = "sealane_shared"

// registryVerb adds the flags to a command, and returns them.
func registryVerb(c *cobra.Command) *registryFlags {
	f := &registryFlags{}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.addTo(set)
	set.VisitAll(func(flag *pflag.Flag) {
		flag.Annotations = map[string][]string{shared: {"true"}}
		c.Flags().AddFlag(flag)
	})
	return f
}

// asksWhy makes help show --reason for a command that asks for it.
func asksWhy(c *cobra.Command) { c.Flags().Lookup("reason").Annotations = nil }

func (f *registryFlags) addTo(set *pflag.FlagSet) {
	set.StringVar(&f.db, "db", "",
		"the registry: sqlite:FILE or postgres://… (default $SEALANE_DB, else sqlite:sealane.db)")
	set.StringVar(&f.rootKey, "root-key", "",
		"key that encrypts private keys: file:PATH, env:NAME or passphrase:NAME "+
			"(default $SEALANE_ROOT_KEY, else file:sealane.rootkey)")
	set.StringVar(&f.tokenFile, "token-file", "",
		"file with your personal token (default: the token itself in $SEALANE_TOKEN, else that of sealane login)")
	set.StringArrayVar(&f.anchors, "anchor", nil,
		"second place for the audit log's head: file:PATH, syslog:, https://… "+
			"(default $SEALANE_ANCHOR, several separated by blanks)")
	set.BoolVar(&f.json, "json", false, "write JSON for programs")
	set.StringVar(&f.reason, "reason", "", "reason for the change, for the audit log")
}

func (f *registryFlags) database() string {
	return cmp.Or(f.db, os.Getenv("SEALANE_DB"), "sqlite:sealane.db")
}

// clock is the time of the registry; nil: the computer's. Only tests set it.
var clock func() time.Time

// config returns the location of the registry.
func (f *registryFlags) config(c *cobra.Command) (operation.Config, error) {
	o := operation.Config{
		Database: f.database(), Anchors: f.anchors,
		RootKey: cmp.Or(f.rootKey, os.Getenv("SEALANE_ROOT_KEY"), "file:sealane.rootkey"),
		Warn:    func(err error) { warn(c, "%s", err) }, Now: clock,
	}
	if len(o.Anchors) == 0 {
		o.Anchors = strings.Fields(os.Getenv("SEALANE_ANCHOR"))
	}
	var err error
	o.RSA, err = chosenEngine(c)
	return o, err
}

// errNobody means that the caller has not named a token.
var errNobody = errors.New("not logged in: run sealane login, put your personal token into $SEALANE_TOKEN, " +
	"or name its file by --token-file (to make a registry: sealane init NAME)")

// token returns the caller's token, or errNobody.
func (f *registryFlags) token(c *cobra.Command) (string, error) {
	if c.Flags().Changed("token-file") {
		return readToken(f.tokenFile)
	}
	if token := os.Getenv("SEALANE_TOKEN"); token != "" {
		return token, nil
	}
	token, err := readToken(loginFile(f.database()))
	if errors.Is(err, os.ErrNotExist) {
		return "", errNobody
	}
	return token, err
}

// session logs in, and calls work with the session.
func (f *registryFlags) session(c *cobra.Command, work func(*operation.Session) error) error {
	token, err := f.token(c)
	if err != nil {
		return err
	}
	return f.withOldToken(c, f.as(c, token, work))
}

// as is like session, for a given token.
func (f *registryFlags) as(c *cobra.Command, token string, work func(*operation.Session) error) (err error) {
	config, err := f.config(c)
	if err != nil {
		return err
	}
	r, err := operation.Open(c.Context(), config)
	if errors.Is(err, operation.ErrNoRegistry) {
		return fmt.Errorf("%w (--db, $SEALANE_DB); to make one: sealane init NAME", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, err := r.Login(c.Context(), token, f.reason)
	if err != nil {
		return err
	}
	return work(s)
}

// does returns the function of a verb: it makes the input of an operation from the
// arguments, runs the operation, and writes its output, as JSON or with write.
func does[In, Out any](
	f *registryFlags, o *operation.Operation[In, Out],
	input func(c *cobra.Command, args []string) (In, error), write func(c *cobra.Command, out Out) error,
) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		in, err := input(c, args)
		if err != nil {
			return err
		}
		return f.session(c, func(s *operation.Session) error {
			out, err := o.Do(c.Context(), s, in)
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), out)
			}
			return write(c, out)
		})
	}
}

// nothing is the input of a verb that has none.
func nothing(*cobra.Command, []string) (operation.None, error) { return operation.None{}, nil }
