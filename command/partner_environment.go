package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// environmentFlags are the flags for what was agreed for an environment.
type environmentFlags struct {
	c               *cobra.Command
	env             registry.Environment
	sealing, caller string
}

func addEnvironmentFlags(c *cobra.Command) *environmentFlags {
	e := &environmentFlags{c: c}
	f := c.Flags()
	f.StringVar(&e.sealing, "sealing", "", "required or optional (required for a new environment)")
	f.StringVar(&e.caller, "caller", "",
		"how the sender of unsigned messages is known: mutual-tls, oauth2 or unauthenticated (rdx, server)")
	f.StringVar(&e.env.Account, "account", "",
		"the caller's name as a trusted upstream gives it, if callers have no API keys of yours")
	f.StringVar(&e.env.AcceptRSAOAEP, "accept-rsa-oaep", "", "reason for opening RSA-OAEP (SHA-1) too")
	f.StringVar(&e.env.MailFrom, "mail-from", "", "the address from which your mails about certificates come")
	f.IntVar(&e.env.MaxPayload, "max-payload", 0, "maximum length of a payload in bytes (default 32 MiB)")
	return e
}

// row returns the environment that the flags describe.
func (e *environmentFlags) row(partner, name string) registry.Environment {
	env := e.env
	env.Partner, env.Name = partner, name
	env.Sealing, env.SenderAuth = sealane.Sealing(e.sealing), sealane.SenderAuth(e.caller)
	return env
}

// change sets in a row what the flags on the command line name.
func (e *environmentFlags) change(row *registry.Environment) error {
	flags := e.row(row.Partner, row.Name)
	for name, set := range map[string]func(){
		"sealing":         func() { row.Sealing = flags.Sealing },
		"caller":          func() { row.SenderAuth = flags.SenderAuth },
		"account":         func() { row.Account = flags.Account },
		"accept-rsa-oaep": func() { row.AcceptRSAOAEP = flags.AcceptRSAOAEP },
		"mail-from":       func() { row.MailFrom = flags.MailFrom },
		"max-payload":     func() { row.MaxPayload = flags.MaxPayload },
	} {
		if e.c.Flags().Changed(name) {
			set()
		}
	}
	return nil
}

func partnerEnvironment(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:     "env PARTNER ENVIRONMENT",
		Short:   "Add an environment to a partner, or change what was agreed for it",
		Example: `  sealane partner env vcas PROD --sealing required --caller mutual-tls`,
		Args:    cobra.ExactArgs(2),
	}
	environment := addEnvironmentFlags(c)
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		partner, name := args[0], args[1]
		stored := func() (row registry.Environment, err error) {
			err = s.View(c.Context(), func(tx registry.Tx) error {
				row, err = tx.Environment(partner, name)
				return err
			})
			return row, err
		}
		said := "is changed"
		row, err := stored()
		switch {
		case errors.Is(err, registry.ErrNotFound):
			said = fmt.Sprintf("is added. To see what is missing: sealane preflight %s %s", partner, name)
			err = s.AddEnvironment(c.Context(), environment.row(partner, name))
		case err == nil:
			err = s.ChangeEnvironment(c.Context(), row, environment.change)
		}
		if err == nil {
			row, err = stored()
		}
		if err != nil {
			return err
		}
		return flags.say(c, row, "Environment %s of %s %s", name, partner, said)
	})
	return c
}
