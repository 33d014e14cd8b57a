package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func noticeTest() *cobra.Command {
	var to string
	var arm bool
	c := &cobra.Command{
		Use:   "test",
		Short: "Try the mail server, and say whether sending is armed; --arm arms it",
		Long: `Test connects to the mail server of the configuration, greets it, logs in, and ends. It sends
no mail, unless --to names an address.

Notices are sent by one installation only: by this host, from this database, with this
sender. Somebody must say so once (--arm), and again after the database was copied or
restored, or the host or the sender has changed. Until then mails wait, with an alarm.`,
		Example: `  sealane notice test --notify notify.yaml
  sealane notice test --notify notify.yaml --arm
  sealane notice test --notify notify.yaml --to you@company.example`,
		Args: cobra.NoArgs,
	}
	flags := addScheduleFlags(c)
	c.Flags().StringVar(&to, "to", "", "send a test mail to this address")
	c.Flags().BoolVar(&arm, "arm", false, "let this installation send mails from now on")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if *flags.notify == "" {
			return usage("name the file that says how people are told (--notify)")
		}
		if arm {
			input := func(*cobra.Command, []string) (operation.ArmSending, error) {
				return operation.ArmSending{Config: *flags.notify}, nil
			}
			tell := func(c *cobra.Command, a operation.Armed) error {
				return say(c, "This installation sends mails from now on, from %s.", a.From)
			}
			if err := does(flags.registryFlags, operation.ArmNotices, input, tell)(c, args); err != nil {
				return err
			}
		}
		s, err := flags.open(c)
		if err != nil {
			return err
		}
		defer closes(s, &err)
		test, err := s.TestNotices(c.Context(), to)
		if err != nil {
			return err
		}
		if flags.json {
			err = writeJSON(c.OutOrStdout(), test)
		} else {
			err = writeSendingTest(c, test)
		}
		if err == nil && (test.Failed != "" || test.Unarmed != "") {
			err = &exit{code: exitAlarm}
		}
		return err
	}
	return c
}

// writeSendingTest writes whether mails can be sent.
func writeSendingTest(c *cobra.Command, t operation.SendingTest) error {
	lines := []string{"mail server: " + t.Server}
	switch {
	case t.Failed != "":
		lines = append(lines, "FAILED: "+t.Failed)
	case t.Facts.TLS == "":
		lines = append(lines, "it answers, without TLS")
	default:
		lines = append(lines, "it answers, by "+t.Facts.TLS+"; its certificate ends on "+timeText(t.Facts.Ends))
	}
	if t.Facts.Login != "" {
		lines = append(lines, "logged in by "+t.Facts.Login)
	}
	if t.Sent != "" {
		lines = append(lines, "the test mail: "+t.Sent)
	}
	if t.Unarmed == "" {
		lines = append(lines, "sending is armed for this installation")
	} else {
		lines = append(lines, "NOTHING IS SENT: "+t.Unarmed)
	}
	for _, p := range t.Problems {
		lines = append(lines, "template: "+p)
	}
	for _, line := range lines {
		if err := say(c, "%s", printable(line)); err != nil {
			return err
		}
	}
	for _, count := range t.Waiting {
		if err := say(c, "waiting: %d %s", count.Count, count.State); err != nil {
			return err
		}
	}
	return nil
}

func closes(s *operation.Schedule, err *error) {
	if failed := s.Close(); *err == nil {
		*err = failed
	}
}
