package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

func environmentFlags(c *cobra.Command, env *registry.Environment, sealing, caller *string) {
	f := c.Flags()
	if c.Name() == "add" {
		f.StringVar(&env.Name, "env", "", "a first environment, such as STAG or PROD")
	}
	f.StringVar(sealing, "sealing", "", "required or optional; must be said")
	f.StringVar(caller, "caller", "", "how the sender of unsigned messages is known: mutual-tls, oauth2 or unauthenticated (rdx, server)")
	f.StringVar(&env.Account, "account", "", "how a trusted upstream names the caller, where callers have no API keys of yours")
	f.StringVar(&env.AcceptRSAOAEP, "accept-rsa-oaep", "", "open RSA-OAEP (SHA-1) too, for this reason")
	f.StringVar(&env.MailFrom, "mail-from", "", "the address from which your mails about certificates come")
	f.IntVar(&env.MaxPayload, "max-payload", 0, "largest payload in bytes (default 32 MiB)")
}

func partnerEnvironment(flags *registryFlags) *cobra.Command {
	var env registry.Environment
	var sealing, caller string
	c := &cobra.Command{
		Use: "env PARTNER ENVIRONMENT", Short: "Add an environment to a partner, or change what was agreed for it", Args: cobra.ExactArgs(2),
		Example: `  sealane partner env vcas PROD --sealing required --caller mutual-tls`,
	}
	environmentFlags(c, &env, &sealing, &caller)
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		env.Partner, env.Name, env.Sealing, env.SenderAuth = args[0], args[1], sealane.Sealing(sealing), sealane.SenderAuth(caller)
		// stored gives the row as it is, and not as the flags say.
		stored := func() (row registry.Environment, err error) {
			err = d.Store.View(c.Context(), func(tx registry.Tx) error {
				row, err = tx.Environment(env.Partner, env.Name)
				return err
			})
			return row, err
		}
		seen, err := stored()
		said := "is changed"
		switch {
		case errors.Is(err, registry.ErrNotFound):
			said = fmt.Sprintf("is added. What is missing now: sealane preflight %s %s", env.Partner, env.Name)
			err = d.AddEnvironment(c.Context(), env, flags.reason)
		case err == nil:
			err = d.ChangeEnvironment(c.Context(), seen, flags.reason, func(now *registry.Environment) error {
				for flag, set := range map[string]func(){
					"sealing": func() { now.Sealing = env.Sealing }, "caller": func() { now.SenderAuth = env.SenderAuth },
					"account": func() { now.Account = env.Account }, "accept-rsa-oaep": func() { now.AcceptRSAOAEP = env.AcceptRSAOAEP },
					"mail-from": func() { now.MailFrom = env.MailFrom }, "max-payload": func() { now.MaxPayload = env.MaxPayload },
				} {
					if c.Flags().Changed(flag) {
						set()
					}
				}
				return nil
			})
		}
		row := env
		if err == nil {
			row, err = stored()
		}
		if err != nil {
			return err
		}
		return flags.said(c, row, "Environment %s of %s %s", env.Name, env.Partner, said)
	})
	return c
}
