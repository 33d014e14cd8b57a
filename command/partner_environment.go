package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/operation"
)

// agreedFlags are the flags for what was agreed for an environment.
type agreedFlags struct {
	c               *cobra.Command
	env             operation.Environment
	sealing, caller string
}

// environmentFlags adds the flags to a command.
func environmentFlags(c *cobra.Command) *agreedFlags {
	e := &agreedFlags{c: c}
	f := c.Flags()
	f.StringVar(&e.sealing, "sealing", "", "required or optional (required for a new environment)")
	f.StringVar(&e.caller, "caller", "",
		"how the sender of unsigned messages is authenticated: mutual-tls, oauth2 or unauthenticated (rdx, ingress)")
	f.StringVar(&e.env.Account, "account", "",
		"the caller's name as a trusted upstream sends it, if callers have no API keys of yours")
	f.StringVar(&e.env.AcceptRSAOAEP, "accept-rsa-oaep", "", "reason for opening RSA-OAEP (SHA-1) too")
	f.StringVar(&e.env.MailFrom, "mail-from", "", "the address from which your mails about certificates come")
	f.IntVar(&e.env.MaxPayload, "max-payload", 0, "maximum length of a payload in bytes (default 32 MiB)")
	return e
}

// row returns the environment that the flags describe.
func (e *agreedFlags) row(partner, name string) operation.Environment {
	env := e.env
	env.Partner, env.Name = partner, name
	env.Sealing, env.SenderAuth = sealane.Sealing(e.sealing), sealane.SenderAuth(e.caller)
	return env
}

// change sets in a row what the flags on the command line name.
func (e *agreedFlags) change(row *operation.Environment) error {
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

func partnerEnvironment() *cobra.Command {
	c := &cobra.Command{
		Use:     "env PARTNER ENVIRONMENT",
		Short:   "Add an environment to a partner, or change what was agreed for it",
		Example: `  sealane partner env vcas PROD --sealing required --caller mutual-tls`,
		Args:    cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	environment := environmentFlags(c)
	input := func(_ *cobra.Command, args []string) (operation.EnvironmentChange, error) {
		return operation.EnvironmentChange{
			LaneName: operation.LaneName{Partner: args[0], Environment: args[1]},
			New:      environment.row(args[0], args[1]), Change: environment.change,
		}, nil
	}
	c.RunE = does(flags, operation.SetEnvironment, input,
		func(c *cobra.Command, e operation.ChangedEnvironment) error {
			if e.Added {
				return say(c, "Environment %s of %s is added.\nNext: sealane status %[2]s %[1]s", e.Name, e.Partner)
			}
			return say(c, "Environment %s of %s is changed.", e.Name, e.Partner)
		})
	return c
}
