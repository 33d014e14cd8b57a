package command

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeStatus(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "status PARTNER [ENVIRONMENT]",
		Short: "Show the state of each certificate, what comes next, and who has to act",
		Args:  cobra.RangeArgs(1, 2),
	}
	c.RunE = flags.withView(func(c *cobra.Command, v view, args []string) error {
		steps, err := v.Status(c.Context(), args[0], first(args[1:]))
		if err != nil {
			return err
		}
		return writeSteps(flags, c, steps)
	})
	return c
}

func writeSteps(flags *registryFlags, c *cobra.Command, steps []exchange.Step) error {
	if len(steps) == 0 && !flags.json {
		_, err := fmt.Fprintln(c.OutOrStdout(), "No certificate yet. "+
			"To make yours: sealane key create --help. To receive theirs: sealane exchange receive --help")
		return err
	}
	const head = "IDENTITY,WHOSE,ENVIRONMENT,STATE,KEY ID (ALIAS),UNTIL,WAITING FOR,NEXT"
	return flags.show(c, steps, head, func(add func(...any)) {
		for _, s := range steps {
			add(cmp.Or(s.KeyPair, s.Certificate), s.Owner, s.Environment, s.State, s.KeyID,
				s.NotAfter.Format(time.DateOnly), s.WaitingFor, s.Next)
		}
	})
}

// progress is the state of a certificate after a step.
type progress struct {
	Certificate string         `json:"certificate"`
	State       registry.State `json:"state"`
	Said        string         `json:"said"`
	Next        string         `json:"next"`
}

// progressOf reads the state of a certificate, for the sentence said.
func progressOf(c *cobra.Command, s *registry.Session, id, said string) (progress, error) {
	var now registry.Certificate
	err := s.View(c.Context(), func(tx registry.Tx) (err error) {
		now, err = tx.Certificate(id)
		return err
	})
	return progress{id, now.State, said, exchange.Next(now)}, err
}

func (p progress) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\nNext: %s\n", p.Said, p.Next)
	return err
}

// withStep returns the RunE of a command that does one step with a certificate, its
// first argument. said is the sentence for people, with the certificate's identity.
func (f *registryFlags) withStep(
	said string, step func(c *cobra.Command, x exchange.Exchange, args []string) error,
) func(*cobra.Command, []string) error {
	return f.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := step(c, exchange.New(s), args); err != nil {
			return err
		}
		return f.sayNext(c, s, args[0], said, args[0])
	})
}

// sayNext says that a step is done, and what comes next.
func (f *registryFlags) sayNext(c *cobra.Command, s *registry.Session, id, format string, args ...any) error {
	p, err := progressOf(c, s, id, fmt.Sprintf(format, args...))
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), p)
	}
	return p.write(c.OutOrStdout())
}
