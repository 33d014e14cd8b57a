package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newHold() *cobra.Command {
	var in operation.RenewalName
	var end bool
	c := &cobra.Command{
		Use:   "hold IDENTITY",
		Short: "Stop a renewal, or let it go on",
		Long: `Hold stops a renewal: nothing of it is offered, activated, rolled back or retired, by
people or by the schedule, until the hold ends (--end). A revocation is not stopped.`,
		Example: `  sealane hold n-4w7jr2kq5d --reason "their data centre moves, CHG-0042"
  sealane hold n-4w7jr2kq5d --end --reason "they have moved"`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	f := c.Flags()
	f.BoolVar(&end, "end", false, "let the renewal go on")
	f.StringVar(&in.Partner, "partner", "", "with whom, for a key pair that all partners of a profile share")
	input := func(_ *cobra.Command, args []string) (operation.RenewalName, error) {
		in.ID = args[0]
		return in, nil
	}
	hold := does(flags, operation.Hold, input, func(c *cobra.Command, n operation.ShownRenewal) error {
		return writeRenewalStep(c, n, "Renewal %s is held. Nothing of it moves.", n.ID)
	})
	release := does(flags, operation.EndHold, input, func(c *cobra.Command, n operation.ShownRenewal) error {
		return writeRenewalStep(c, n, "Renewal %s goes on. It is %s.", n.ID, n.Step)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if end {
			return release(c, args)
		}
		return hold(c, args)
	}
	return c
}
