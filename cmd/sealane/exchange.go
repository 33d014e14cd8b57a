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
	o := officeFlags(c)
	c.AddCommand(exchangeReceive(o), exchangeConfirm(o), exchangeApprove(o), exchangeReject(o), exchangeStage(o), exchangeActivate(o), exchangeRetire(o), exchangeCompromised(o),
		exchangeOffer(o), exchangeAlias(o), exchangeChallenge(o), exchangeProve(o), exchangeAnswer(o), exchangeStatus(o))
	return c
}

func exchangeStatus(o *office) *cobra.Command {
	c := &cobra.Command{Use: "status PARTNER [ENVIRONMENT]", Short: "Show where each certificate stands, what comes next, and who is waited for", Args: cobra.RangeArgs(1, 2)}
	c.RunE = o.looking(func(c *cobra.Command, d *registry.Desk, args []string) error {
		environment := ""
		if len(args) == 2 {
			environment = args[1]
		}
		steps, err := exchange.Status(c.Context(), d.Registry, args[0], environment)
		if err != nil {
			return err
		}
		return writeSteps(o, c, steps)
	})
	return c
}

func writeSteps(o *office, c *cobra.Command, steps []exchange.Step) error {
	if len(steps) == 0 && !o.json {
		_, err := fmt.Fprintln(c.OutOrStdout(), "No certificate yet. Make yours: sealane key create --help. Take theirs in: sealane exchange receive --help")
		return err
	}
	return o.show(c, steps, "IDENTITY,WHOSE,ENVIRONMENT,STATE,KEY ID (ALIAS),UNTIL,WAITING FOR,NEXT", func(add func(...any)) {
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
func (o *office) done(c *cobra.Command, d *registry.Desk, id, format string, args ...any) error {
	now, err := stands(c, d, id, fmt.Sprintf(format, args...))
	if err != nil {
		return err
	}
	if o.json {
		return o.show(c, now, "", nil)
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

func stands(c *cobra.Command, d *registry.Desk, id, said string) (standing, error) {
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
