package command

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

// offerAllFlags are the flags of a campaign.
type offerAllFlags struct {
	all  bool
	in   operation.CampaignRequest
	rate int
}

func (f *offerAllFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.BoolVar(&f.all, "all", false, "offer the successor of a pair that all partners of a profile share")
	s.IntVar(&f.in.Batch, "batch", 25, "with --all: how many partners it is offered to now")
	s.IntVar(&f.rate, "rate", 0, "with --all: to how many partners within 24 hours (default: no limit)")
	s.IntVar(&f.in.Late, "late", 0, "with --all: how many partners without an answer stop it (default: 3)")
}

// run offers the next batch. Each partner has a folder of its own in out.
func (f *offerAllFlags) run(flags *registryFlags, out, telephone string) func(*cobra.Command, []string) error {
	input := func(_ *cobra.Command, args []string) (operation.CampaignRequest, error) {
		f.in.Profile, f.in.Environment, f.in.PerDay = args[0], args[1], f.rate
		f.in.Deliver = func(partner string, p operation.OfferPackage) error {
			p.Date = time.Now()
			if telephone != "" {
				p.From.Telephone = telephone
			}
			folder := filepath.Join(out, partner)
			for _, part := range []string{keydir.SendFolder, keydir.SendSeparatelyFolder} {
				if err := newfile.Check(filepath.Join(folder, part)); err != nil {
					return err
				}
			}
			return keydir.WriteOffer(folder, p)
		}
		return f.in, nil
	}
	return does(flags, operation.OfferAll, input, func(c *cobra.Command, b operation.CampaignBatch) error {
		if b.Made {
			if err := say(c, "Key pair %s is made for all partners. It opens messages from now on.",
				b.KeyPair); err != nil {
				return err
			}
		}
		for _, one := range b.Failed {
			if err := say(c, "! %s: %s", one.Partner, one.Text); err != nil {
				return err
			}
		}
		p := b.Progress
		if len(b.Offered) > 0 {
			if err := say(c, "%s is written for %s, in %s. Send each of them two messages.", noun(b.KeyPair),
				termtext.Counted(len(b.Offered), "partner"), out); err != nil {
				return err
			}
		}
		if err := say(c, "Offered to %s. Installed: %d. No answer yet: %d.",
			termtext.Counted(p.Offered, "partner"), p.Installed, p.Waiting); err != nil {
			return err
		}
		if p.Left {
			return say(c, "Next: the same command for the next batch (renewal %s).", b.Renewal)
		}
		return say(c, "Every partner has it now (renewal %s).", b.Renewal)
	})
}
