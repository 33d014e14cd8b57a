package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func schedulePass() *cobra.Command {
	c := &cobra.Command{
		Use:   "pass",
		Short: "Look at every renewal once; for a timer",
		Long: `Pass looks at every open renewal once, does what is due, and prints what it has done, what
waits, what is proposed, and the alarms: what a person must look at. The exit code is 7 if there are
alarms. Run it each minute. While another schedule works it does nothing.`,
		Example: `  sealane schedule pass
  sealane schedule pass --mail outbox --json`,
		Args: cobra.NoArgs,
	}
	flags := addScheduleFlags(c)
	flags.addMail(c)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		s, err := flags.open(c)
		if err != nil {
			return err
		}
		defer closes(s, &err)
		report, err := s.Pass(c.Context())
		if err != nil {
			return err
		}
		mails, err := flags.writeMails(c, s)
		if err != nil {
			return err
		}
		if flags.json {
			err = writeJSON(c.OutOrStdout(), struct {
				operation.ScheduleReport
				Mails []string `json:"mails,omitempty"`
			}{report, mails})
		} else {
			err = writeReport(c, report, mails)
		}
		if err == nil && len(report.Alarms) > 0 {
			err = &exit{code: exitAlarm}
		}
		return err
	}
	return c
}

// writeReport writes what a pass has done.
func writeReport(c *cobra.Command, r operation.ScheduleReport, mails []string) error {
	if r.Busy {
		return say(c, "Another schedule works on this registry. Nothing was done.")
	}
	if err := say(c, "%s open.", termtext.Counted(r.Open, "renewal")); err != nil {
		return err
	}
	line := func(name, renewal, partner, text string) error {
		about := renewal
		if partner != "" {
			about += " (" + partner + ")"
		}
		if about != "" {
			about += ": "
		}
		return say(c, "%s: %s%s", name, about, wrap(printable(text), "      "))
	}
	for _, d := range r.Done {
		if err := line("done", d.Renewal, "", d.Text); err != nil {
			return err
		}
	}
	for _, w := range r.Wait {
		if err := line("waits", w.Renewal, w.Partner, w.Text); err != nil {
			return err
		}
	}
	for _, w := range r.Proposed {
		if err := line("proposed", w.Renewal, w.Partner, w.Text); err != nil {
			return err
		}
	}
	for _, a := range r.Alarms {
		if err := line("ALARM", a.Renewal, a.Partner, a.Text); err != nil {
			return err
		}
	}
	for _, file := range mails {
		if err := say(c, "mail: %s", printable(file)); err != nil {
			return err
		}
	}
	if r.More {
		return say(c, "There is more: the lists are cut.")
	}
	return nil
}
