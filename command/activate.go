package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newActivate() *cobra.Command {
	var in operation.Activation
	var at string
	var cancel bool
	c := &cobra.Command{
		Use:   "activate IDENTITY",
		Short: "Use an approved certificate of a partner, or a key pair that follows another",
		Long: `Activate makes a partner's approved certificate the one that messages are encrypted to,
or a key pair of yours the one that they are signed by. The previously active one still
verifies or opens (retiring).

Where the key follows another, that is an order. It is done at once if it is due and
possible, or by the schedule at its time (sealane schedule): when every node has the
key, and the environment's window is open. In production the order needs the reference
of the change, and another person approves it.

Until then the order can be taken back (--cancel).

The first key pair of yours becomes active when the partner has its certificate: sealane
installed.`,
		Example: `  sealane activate c-7k2m4q6z3x
  sealane activate n-4w7jr2kq5d --at 2026-12-09T22:00:00Z --change CHG-4711`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&at, "at", "", "when, in RFC 3339, such as 2026-12-09T22:00:00Z (default: as soon as it may be)")
	f.StringVar(&in.Change, "change", "", "the reference of the change; production needs it")
	f.StringVar(&in.Partner, "partner", "", "with whom, for a key pair that all partners of a profile share")
	f.BoolVar(&cancel, "cancel", false, "take the order back; it needs --reason")
	c.MarkFlagsMutuallyExclusive("cancel", "at")
	c.MarkFlagsMutuallyExclusive("cancel", "change")
	input := func(_ *cobra.Command, args []string) (operation.Activation, error) {
		in.ID = args[0]
		if at == "" {
			return in, nil
		}
		var err error
		if in.At, err = time.Parse(time.RFC3339, at); err != nil {
			return in, usage("--at: " + printable(at) + " is no time in RFC 3339, such as 2026-12-09T22:00:00Z")
		}
		in.At = in.At.UTC()
		return in, nil
	}
	stop := does(flags, operation.CancelOrder,
		func(_ *cobra.Command, args []string) (operation.RenewalName, error) {
			return operation.RenewalName{ID: args[0], Partner: in.Partner}, nil
		}, func(c *cobra.Command, n operation.ShownRenewal) error {
			return writeRenewalStep(c, n, "The order to activate %s is taken back (renewal %s).", n.Successor, n.ID)
		})
	order := does(flags, operation.Activate, input, func(c *cobra.Command, a operation.Activated) error {
		switch n := a.Renewal; {
		case n == nil || n.Activated != 0:
			return writeStep(c, a.Step, "%s is active.", noun(a.ID))
		case n.Order != nil && !n.Order.At.IsZero():
			return writeStep(c, a.Step, "%s will be active at %s (renewal %s).", noun(a.ID), timeText(n.Order.At),
				n.ID)
		default:
			return writeStep(c, a.Step, "%s will be active as soon as it may be (renewal %s).", noun(a.ID), n.ID)
		}
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if cancel {
			return stop(c, args)
		}
		return order(c, args)
	}
	return c
}
