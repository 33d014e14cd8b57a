package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func exchangeApprove(flags *registryFlags) *cobra.Command {
	var a exchange.Approval
	c := &cobra.Command{
		Use:   "approve CERTIFICATE…",
		Short: "Approve matched certificates (a second person, for production)",
		Long: `Approve accepts matched certificates. For production, the approver must have neither
received nor matched them, and must name the change (--change). It also takes a
call-back to a number that was known before (--call-back), or the partner's answer to a
challenge. One call-back counts for the certificates of one partner.`,
		Example: `  sealane exchange approve c-7k2m4q6z3x --change CHG-4711 \
      --call-back "Eva Lind, +46 8 123 45 67 from the contract, read the checksum to me"`,
		Args: cobra.MinimumNArgs(1),
	}
	f := c.Flags()
	f.StringVar(&a.Change, "change", "", "reference of the change")
	f.StringVar(&a.CallBack, "call-back", "", "who was called back, at which number, and what they said")
	f.StringArrayVar(&a.Grant, "grant", nil, "rule whose waiver you grant")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		var all []progress
		err := approveAll(c, s, args, a, func(p progress) error {
			if all = append(all, p); flags.json {
				return nil
			}
			return p.write(c.OutOrStdout())
		})
		if flags.json && len(all) > 0 {
			err = errors.Join(err, writeJSON(c.OutOrStdout(), all))
		}
		return err
	})
	return c
}

// approveAll approves certificates, and calls each with the state of every one that is approved.
func approveAll(
	c *cobra.Command, s *registry.Session, ids []string, a exchange.Approval, each func(progress) error,
) error {
	for id, err := range exchange.New(s).ApproveAll(c.Context(), ids, a) {
		if err != nil {
			return err
		}
		p, err := progressOf(c, s, id, fmt.Sprintf("Certificate %s is approved.", id))
		if err != nil {
			return err
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}
