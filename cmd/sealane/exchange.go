package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func newExchange() *cobra.Command {
	c := &cobra.Command{
		Use: "exchange", Short: "Exchange certificates with a partner, step by step",
		Long: `A certificate of the partner's: receive, confirm (the checksum of their second
message), approve (a second person), activate. One of yours: sealane key create,
offer, alias (the key ID that they assign), activate (when they have installed it).
At any time: sealane exchange status PARTNER says what comes next.`,
	}
	flags := addRegistryFlags(c)
	c.AddCommand(exchangeReceive(flags), exchangeConfirm(flags), exchangeApprove(flags), exchangeReject(flags), exchangeStage(flags), exchangeActivate(flags), exchangeRetire(flags), exchangeCompromised(flags),
		exchangeOffer(flags), exchangeAlias(flags), exchangeChallenge(flags), exchangeProve(flags), exchangeAnswer(flags), exchangeStatus(flags))
	return c
}

func exchangeStatus(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "status PARTNER [ENVIRONMENT]", Short: "Show where each certificate stands, what comes next, and who is waited for", Args: cobra.RangeArgs(1, 2)}
	c.RunE = flags.withView(func(c *cobra.Command, v view, args []string) error {
		environment := ""
		if len(args) == 2 {
			environment = args[1]
		}
		steps, err := v.Status(c.Context(), args[0], environment)
		if err != nil {
			return err
		}
		return writeSteps(flags, c, steps)
	})
	return c
}

func writeSteps(flags *registryFlags, c *cobra.Command, steps []exchange.Step) error {
	if len(steps) == 0 && !flags.json {
		_, err := fmt.Fprintln(c.OutOrStdout(), "No certificate yet. Make yours: sealane key create --help. Take theirs in: sealane exchange receive --help")
		return err
	}
	return flags.show(c, steps, "IDENTITY,WHOSE,ENVIRONMENT,STATE,KEY ID (ALIAS),UNTIL,WAITING FOR,NEXT", func(add func(...any)) {
		for _, s := range steps {
			id := s.Certificate
			if s.KeyPair != "" {
				id = s.KeyPair
			}
			add(id, s.Owner, s.Environment, s.State, s.KeyID, s.NotAfter.Format("2006-01-02"), s.WaitingFor, s.Next)
		}
	})
}

// done says that a step is done, and what comes next.
func (flags *registryFlags) done(c *cobra.Command, d *registry.Session, id, format string, args ...any) error {
	now, err := stands(c, d, id, fmt.Sprintf(format, args...))
	if err != nil {
		return err
	}
	if flags.json {
		return flags.show(c, now, "", nil)
	}
	return now.say(c)
}

// standing is where a certificate stands after a step.
type standing struct {
	Certificate string         `json:"certificate"`
	State       registry.State `json:"state"`
	Said        string         `json:"said"`
	Next        string         `json:"next"`
}

func stands(c *cobra.Command, d *registry.Session, id, said string) (standing, error) {
	var now registry.Certificate
	err := d.Store.View(c.Context(), func(tx registry.Tx) (err error) {
		now, err = tx.Certificate(id)
		return err
	})
	return standing{id, now.State, said, exchange.Next(now)}, err
}

func (s standing) say(c *cobra.Command) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s\nNext: %s\n", s.Said, s.Next)
	return err
}
