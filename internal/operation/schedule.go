package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
)

// Schedule is a registry as the program uses it that advances renewals. It acts for no person, and
// only does what people have ordered. It needs no root key, and never changes the database's schema.
type Schedule struct {
	*renewal.Scheduler
	db       *store.Store
	problems []error // of templates
}

// ScheduleReport says what a pass of the schedule has done, and what could not be done.
type ScheduleReport = renewal.Report

// Parts of a report.
type (
	ScheduleDone = renewal.Did
	ScheduleWait = renewal.Wait
)

// OpenSchedule opens a registry for its schedule. The holder tells the programs apart that may do so at
// the same time: one of them works. The error is [ErrNoRegistry] if the database's file does not exist.
func OpenSchedule(ctx context.Context, c Config, holder string) (*Schedule, error) {
	if path, file := store.File(c.Database); file {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w at %s", ErrNoRegistry, path)
		}
	}
	if c.Warn == nil {
		c.Warn = func(error) {}
	}
	db, err := store.OpenServing(ctx, c.Database, store.Options{})
	if err != nil {
		return nil, err
	}
	r := &Registry{registry: &registry.Registry{Store: db, Now: c.Now}, db: db, config: c}
	if err := r.anchor(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Schedule{Scheduler: &renewal.Scheduler{Registry: r.registry, Holder: holder}, db: db}
	if c.Notify == "" {
		return s, nil
	}
	s.problems, err = notifying(s.Scheduler, c)
	for _, p := range s.problems {
		c.Warn(p)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// notifying makes a scheduler tell people, as the file says that the configuration names.
func notifying(s *renewal.Scheduler, c Config) (problems []error, err error) {
	n, err := notify.Read(c.Notify)
	if err != nil {
		return nil, err
	}
	return s.Notify(n, c.Database)
}

// Mails returns the mails that are planned, and that nobody has sent yet.
func (s *Schedule) Mails(ctx context.Context) ([]RenewalLetter, error) {
	return renewal.PlannedMails(ctx, &s.Registry.Program().Viewer)
}

// Close lets another program work at once, and closes the database.
func (s *Schedule) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(s.Release(ctx), s.db.Close())
}

// scheduleStopped returns an error where no schedule has worked for too long, and a key is in use.
func scheduleStopped(ctx context.Context, v *registry.Viewer) error {
	var last time.Time
	var stopped bool
	err := v.View(ctx, func(tx registry.Reader) (err error) {
		last, stopped, err = renewal.Stopped(tx, v.Time())
		return err
	})
	if err != nil || !stopped {
		return nil // what the person does has that error, too
	}
	return fmt.Errorf("%s: nobody is told that a certificate ends, and nothing that was ordered is done",
		renewal.NoPass(last))
}
