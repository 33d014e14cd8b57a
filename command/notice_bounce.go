package command

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

// maxReport limits a report of a mail server, in bytes.
const maxReport = 4 << 20

func noticeBounce() *cobra.Command {
	c := &cobra.Command{
		Use:   "bounce FILE|-",
		Short: "Take a report that a mail could not be delivered",
		Long: `Bounce reads a report of a mail server that a mail was not delivered (RFC 3464), from a file or,
with -, from standard input: so a mail server can pass it in a pipe. After a failure for good
the next contacts are told at once, and your own people; the next notice tries the address
again. A report of a delay changes nothing. It needs no token.`,
		Example: `  sealane notice bounce report.eml
  sealane notice bounce - < report.eml`,
		Args: cobra.ExactArgs(1),
	}
	flags := addScheduleFlags(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		report, err := readInput(c, args[0], maxReport)
		if err != nil {
			return err
		}
		s, err := flags.open(c)
		if err != nil {
			return err
		}
		defer closes(s, &err)
		out, err := s.Bounce(c.Context(), bytes.NewReader(report))
		if err != nil {
			return err
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), out)
		}
		return writeBounce(c, out)
	}
	return c
}

func writeBounce(c *cobra.Command, out operation.NoticeBounced) error {
	switch {
	case !out.Permanent:
		return say(c, "Mail %s to %s is late (%s). Nothing has changed.", out.Mail.ID, printable(out.Mail.To),
			out.Status)
	case out.Ignored:
		return say(c, "It is known already that mail %s to %s came back.", out.Mail.ID, printable(out.Mail.To))
	}
	return say(c, "Mail %s to %s came back (%s). The schedule tells the next contacts.", out.Mail.ID,
		printable(out.Mail.To), out.Status)
}
