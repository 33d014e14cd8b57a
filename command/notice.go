package command

import (
	"os"

	"github.com/spf13/cobra"
)

func newNotice() *cobra.Command {
	c := &cobra.Command{
		Use:   "notice",
		Short: "Mails that tell people that a certificate ends",
		Long: `Notices tell partners and your own people, in time, that a certificate ends: 75, 60, 30, 14,
7 and 1 days before, on the day, and then each week, until the next certificate is confirmed
and in use. The schedule plans them, and sends them where a file says how (--notify, or
$SEALANE_NOTIFY): see docs/renewal.md. Without that file people send them: sealane notice
list, notice preview, and sent.`,
	}
	c.AddCommand(noticeList(), noticePreview(), noticeTest(), noticeSend(), noticeAck(), noticeBounce(), noticeWhy())
	return c
}

// addNotify adds the flag that names the file which says how people are told.
func addNotify(c *cobra.Command) *string {
	return c.Flags().String("notify", os.Getenv("SEALANE_NOTIFY"),
		"file that says how people are told (default $SEALANE_NOTIFY)")
}
