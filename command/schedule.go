package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

func newSchedule() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "Do what people have ordered in renewals, at its time",
		Long: `The schedule begins renewals that are due, and does the steps that people have ordered:
a partner's approved certificate verifies, a key is activated at its time, a mail is
planned, an old key is retired where the environment says so. It approves, matches and
waives nothing. It needs neither a person's token nor the root key.

It runs in sealane serve, by sealane schedule run, or by sealane schedule pass from a
timer. Several may run: one at a time works.`,
	}
	c.AddCommand(schedulePass(), scheduleRun())
	return c
}

// scheduleFlags are the flags of the schedule's commands.
type scheduleFlags struct {
	*registryFlags
	mail   string
	notify *string
}

func addScheduleFlags(c *cobra.Command) *scheduleFlags {
	return &scheduleFlags{registryFlags: registryVerb(c), notify: addNotify(c)}
}

// addMail adds the flag for the folder of mails that people send.
func (f *scheduleFlags) addMail(c *cobra.Command) {
	c.Flags().StringVar(&f.mail, "mail", "", "folder for the mails that are planned, each as one file (.eml)")
	c.MarkFlagsMutuallyExclusive("mail", "notify")
}

// open opens the registry for its schedule.
func (f *scheduleFlags) open(c *cobra.Command) (*operation.Schedule, error) {
	config, err := f.config(c)
	if err != nil {
		return nil, err
	}
	config.Notify = *f.notify
	if f.mail != "" {
		if info, err := os.Stat(f.mail); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("%s is no folder", f.mail)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	s, err := operation.OpenSchedule(c.Context(), config, fmt.Sprintf("%s/%d", host, os.Getpid()))
	if errors.Is(err, operation.ErrNoRegistry) {
		err = fmt.Errorf("%w (--db, $SEALANE_DB); to make one: sealane init NAME", err)
	}
	return s, err
}

// writeMails writes each planned mail to a file, once, and returns the names of the files. A hidden file
// next to it stays, so that a mail that was moved away is not written again.
func (f *scheduleFlags) writeMails(c *cobra.Command, s *operation.Schedule) (written []string, err error) {
	if f.mail == "" {
		return nil, nil
	}
	mails, err := s.Mails(c.Context())
	if err != nil {
		return nil, err
	}
	for _, m := range mails {
		name := fmt.Sprintf("%s-%s.eml", m.Renewal, m.Planned.UTC().Format("20060102T150405Z"))
		marker := filepath.Join(f.mail, "."+name+".written")
		if _, err := os.Lstat(marker); err == nil {
			continue
		}
		file := filepath.Join(f.mail, name)
		if err := newfile.Write(file, m.Data, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return written, err
		} else if err == nil {
			written = append(written, file)
		}
		if err := newfile.Write(marker, nil, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return written, err
		}
	}
	return written, nil
}
