package command

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/operation"
)

// agreedFlags are the flags for what was agreed for an environment.
type agreedFlags struct {
	c *cobra.Command

	sealing, caller, account, acceptRSAOAEP, expired, noResend, mailFrom, rate, failures string
	maxPayload, approvals, burst, inFlight                                               int

	rotation *rotationFlags
}

// environmentFlags adds the flags to a command.
func environmentFlags(c *cobra.Command) *agreedFlags {
	e := &agreedFlags{c: c}
	f := c.Flags()
	f.StringVar(&e.sealing, "sealing", "", "required or optional (required for a new environment)")
	f.StringVar(&e.caller, "caller", "",
		"how the sender of unsigned messages is authenticated: mutual-tls, oauth2 or unauthenticated (rdx, ingress)")
	f.StringVar(&e.account, "account", "",
		"the caller's name as a trusted upstream sends it, if callers have no API keys of yours")
	f.StringVar(&e.acceptRSAOAEP, "accept-rsa-oaep", "", "reason for opening RSA-OAEP (SHA-1) too")
	f.StringVar(&e.expired, "expired", "",
		"after a certificate has ended: warn, refuse, or empty to warn for 14 days and then refuse to seal")
	f.StringVar(&e.noResend, "no-resend", "", "reason for not sending refused messages again with another key")
	f.StringVar(&e.mailFrom, "mail-from", "", "the address from which your mails about certificates come")
	f.IntVar(&e.maxPayload, "max-payload", 0, "maximum length of a payload in bytes (default 32 MiB)")
	f.IntVar(&e.approvals, "approvals", 0,
		"how many people decide in this environment: 2 (the default in production) or 1, for a company of one")
	f.StringVar(&e.rate, "rate", "", "how many requests a gateway allows: 100/s, 30/m, or none for no limit")
	f.IntVar(&e.burst, "burst", 0, "how many requests may come at once (default twice the rate)")
	f.IntVar(&e.inFlight, "in-flight", 0, "how many sealed requests a gateway serves at once (0: no limit)")
	f.StringVar(&e.failures, "failures", "",
		"how many messages that can't be opened a gateway allows: 10/s, 30/m, or none")
	e.rotation = addRotationFlags(f)
	return e
}

// change returns what the flags on the command line name.
func (e *agreedFlags) change(partner, name string) operation.EnvironmentChange {
	in := operation.EnvironmentChange{LaneName: operation.LaneName{Partner: partner, Environment: name}}
	for flag, set := range map[string]func(){
		"sealing":         func() { in.Sealing = (*sealane.Sealing)(&e.sealing) },
		"caller":          func() { in.Caller = (*sealane.SenderAuth)(&e.caller) },
		"account":         func() { in.Account = &e.account },
		"accept-rsa-oaep": func() { in.AcceptRSAOAEP = &e.acceptRSAOAEP },
		"expired":         func() { in.Expired = (*sealane.Expired)(&e.expired) },
		"no-resend":       func() { in.NoResend = &e.noResend },
		"mail-from":       func() { in.MailFrom = &e.mailFrom },
		"max-payload":     func() { in.MaxPayload = &e.maxPayload },
		"approvals":       func() { in.Approvals = &e.approvals },
		"rate":            func() { in.Rate = &e.rate },
		"burst":           func() { in.Burst = &e.burst },
		"in-flight":       func() { in.InFlight = &e.inFlight },
		"failures":        func() { in.Failures = &e.failures },
	} {
		if e.c.Flags().Changed(flag) {
			set()
		}
	}
	in.RotationChange = e.rotation.change()
	return in
}

// onlyRaises reports whether the command line raises the approvals to two, and changes nothing else.
func (e *agreedFlags) onlyRaises() bool {
	others := 0
	e.c.Flags().Visit(func(f *pflag.Flag) {
		if f.Annotations[shared] == nil && f.Name != "approvals" {
			others++
		}
	})
	return e.approvals == 2 && others == 0
}

func partnerEnvironment() *cobra.Command {
	c := &cobra.Command{
		Use:   "env PARTNER ENVIRONMENT",
		Short: "Add an environment to a partner, or change what was agreed for it",
		Long: `Env adds an environment to a partner, or changes what was agreed for it. Options that
are not given leave a setting as it is.

In production a change that loosens a rule needs a second person: optional sealing, an
unauthenticated sender, RSA-OAEP, another account, keys whose certificates have ended, a
higher limit or none, more slots, a shorter overlap, fewer quiet days, retirement without a
person, a wider window, and the end of a freeze.

The window is read in its zone. It begins on the days that it names, and may end on the next
day. Freezes are dates in that zone, of which the last is included. 0 sets a number of days
to its default.`,
		Example: `  sealane partner env vcas PROD --sealing required --caller mutual-tls
  sealane partner env acme PROD --rate 100/s --in-flight 64
  sealane partner env acme PROD --window "Mon-Fri 22:00-04:00 Europe/Berlin" \
      --freeze "2026-12-18..2027-01-04 year end"
  sealane partner env acme PROD --unfreeze 2026-12-18`,
		Args: cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	environment := environmentFlags(c)
	input := func(_ *cobra.Command, args []string) (operation.EnvironmentChange, error) {
		return environment.change(args[0], args[1]), nil
	}
	set := does(flags, operation.SetEnvironment, input,
		func(c *cobra.Command, e operation.ChangedEnvironment) error {
			if e.Added {
				return say(c, "Environment %s of %s is added.\nNext: sealane status %[2]s %[1]s", e.Name, e.Partner)
			}
			return say(c, "Environment %s of %s is changed.", e.Name, e.Partner)
		})
	lane := func(_ *cobra.Command, args []string) (operation.LaneName, error) {
		return operation.LaneName{Partner: args[0], Environment: args[1]}, nil
	}
	raise := does(flags, operation.RaiseApprovals, lane, func(c *cobra.Command, l operation.LaneName) error {
		return say(c, "Two people decide in environment %s of %s from now on.", l.Environment, l.Partner)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if environment.onlyRaises() {
			return raise(c, args)
		}
		return set(c, args)
	}
	return c
}
