package command

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func scheduleRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Look at every renewal each minute, until SIGTERM",
		Long: `Run looks at every open renewal each minute, and does what is due. It logs each step that
it has done, and each alarm once, until the alarm has gone and comes again. SIGTERM and
Ctrl-C end it in good order. Where a gateway runs on the same registry, its
configuration can have it do the same.`,
		Example: `  sealane schedule run
  sealane schedule run --mail outbox`,
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
		log := newScheduleLog(c.ErrOrStderr(), flags.json)
		log.Info("the schedule runs", "holder", s.Holder)
		s.Run(c.Context(), func(r operation.ScheduleReport, err error) {
			log.report(r, err)
			mails, err := flags.writeMails(c, s)
			for _, file := range mails {
				log.Info("a mail is written: send it, and record that", "file", file)
			}
			log.once("mail", "the mails could not be written", err)
		})
		log.Info("the schedule ends")
		return nil
	}
	return c
}

// scheduleLog logs the reports of a schedule. What stays the same is logged once.
type scheduleLog struct {
	*slog.Logger
	alarms map[string]bool   // of the last report
	failed map[string]string // the last error of each kind
}

func newScheduleLog(w io.Writer, asJSON bool) *scheduleLog {
	var handler slog.Handler = slog.NewTextHandler(w, nil)
	if asJSON {
		handler = slog.NewJSONHandler(w, nil)
	}
	return &scheduleLog{slog.New(handler), map[string]bool{}, map[string]string{}}
}

// report logs what a pass has done, and the alarms that are new.
func (l *scheduleLog) report(r operation.ScheduleReport, err error) {
	if l.once("pass", "a pass failed; the next is in a minute", err); err != nil || r.Busy {
		return
	}
	for _, d := range r.Done {
		l.Info("a renewal has advanced", "renewal", d.Renewal, "step", string(d.Step), "text", d.Text)
	}
	now := map[string]bool{}
	tell := func(all []operation.ScheduleWait, level slog.Level, text string) { // they are limited
		for _, one := range all {
			key := one.Renewal + " " + one.Text
			if now[key] = true; !l.alarms[key] {
				l.Log(context.Background(), level, text, "renewal", one.Renewal, "partner", one.Partner,
					"text", one.Text)
			}
		}
	}
	tell(r.Alarms, slog.LevelError, "a renewal needs a person")
	tell(r.Proposed, slog.LevelWarn, "the schedule proposes something")
	l.alarms = now
}

// once logs an error unless the last one of its kind was the same.
func (l *scheduleLog) once(kind, text string, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != "" && said != l.failed[kind] {
		l.Error(text, "error", said)
	}
	l.failed[kind] = said
}
