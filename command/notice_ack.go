package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func noticeAck() *cobra.Command {
	var until, partner string
	c := &cobra.Command{
		Use:   "ack IDENTITY",
		Short: "Stop the notices about a certificate until a day",
		Long: `Ack says that you know about a certificate that ends, and what will happen. Its notices, and
the escalation, stop until the day. The last two notices before the end, and those after it,
are sent all the same.`,
		Example: `  sealane notice ack n-4w7jr2kq5d --until 2027-01-31 --reason "they install it on 28 January"`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&until, "until", "", "`day` on which the notices go on, in UTC (required)")
	c.Flags().StringVar(&partner, "partner", "", "the partner, where several share the key pair")
	input := func(_ *cobra.Command, args []string) (in operation.NoticeAck, err error) {
		in.ID, in.Partner = args[0], partner
		if in.Until, err = time.Parse(time.DateOnly, until); err != nil {
			return in, usage("--until: write the day as 2027-01-31")
		}
		return in, nil
	}
	c.RunE = does(flags, operation.AckNotices, input, func(c *cobra.Command, n operation.ShownRenewal) error {
		return say(c, "The notices of renewal %s stop until %s.", n.ID, timeText(n.Ack.Until))
	})
	return c
}
