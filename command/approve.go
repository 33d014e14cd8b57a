package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newApprove() *cobra.Command {
	var a operation.Approval
	c := &cobra.Command{
		Use:   "approve CERTIFICATE…",
		Short: "Approve matched certificates (a second person, for production)",
		Long: `Approve accepts matched certificates, and prints what is approved. For production the
approver must have neither received nor matched them, and must name the change
(--change). It also takes a call-back to a number that was known before (--call-back),
or the partner's answer to a challenge. One call-back counts for the certificates of
one partner.`,
		Example: `  sealane approve c-7k2m4q6z3x --change CHG-4711 \
      --call-back "Eva Lind, +46 8 123 45 67 from the contract, read the checksum to me"`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&a.Change, "change", "", "reference of the change")
	f.StringVar(&a.CallBack, "call-back", "", "who was called back, at which number, and what they said")
	f.StringArrayVar(&a.Grant, "grant", nil, "rule whose waiver you grant")
	c.RunE = func(c *cobra.Command, args []string) error {
		a.Certificates = args
		return flags.session(c, func(s *operation.Session) error {
			approved, err := operation.Approve.Do(c.Context(), s, a)
			if err != nil {
				return err
			}
			var done []operation.Shown
			for one, failed := range approved {
				if failed != nil {
					err = failed
					break
				}
				if done = append(done, one); !flags.json {
					writeShown(c.OutOrStdout(), one)
					fmt.Fprintf(c.OutOrStdout(), "%s is approved.\n", noun(one.ID))
				}
			}
			if flags.json && len(done) > 0 {
				err = errors.Join(err, writeJSON(c.OutOrStdout(), done))
			}
			return err
		})
	}
	return c
}
