package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// registry keeps the newest snapshot of the registry. It asks for the registry's version every
// second, and reads what has changed.
type registry struct {
	source   Registry
	reader   *lanes.Reader
	settings RegistryConfig
	now      func() time.Time
	log      *slog.Logger
	snapshot atomic.Pointer[lanes.Snapshot]
	uses     *lanes.UsageRecorder
	self     *self       // what it reports of itself
	replaced atomic.Bool // another registry is in force

	// known is when the snapshot was known to be the newest, last.
	known  atomic.Pointer[time.Time]
	failed atomic.Pointer[error] // why it is not known any more, or nil

	checked time.Time // when all was read last
	check   wholeCheck
	alarmed time.Time // when the log had the alarm last

	cache  string // the file in which the lanes are kept, or ""
	saving saving // of the cache
}

var (
	errNotRead = errors.New("the registry was not read yet")
	errStale   = errors.New("the registry could not be read for too long (registry.stale_after)")
)

func newRegistry(source Registry, c RegistryConfig, now func() time.Time, log *slog.Logger) *registry {
	r := &registry{
		source: source, reader: source.Lanes(), settings: c, now: now, log: log, uses: &lanes.UsageRecorder{},
	}
	r.reader.Environments = c.Environments
	return r
}

// current returns the newest snapshot. After too long without the database it returns errStale: a
// revocation must not be missed forever.
func (r *registry) current() (*lanes.Snapshot, error) {
	s := r.snapshot.Load()
	switch {
	case s == nil:
		return nil, errNotRead
	case r.age() > r.settings.StaleAfter.Or(defaultStaleAfter):
		return nil, errStale
	}
	return s, nil
}

// age returns for how long it has not been known whether the snapshot is the newest. It is measured
// by a clock that nobody sets.
func (r *registry) age() time.Duration {
	if known := r.known.Load(); known != nil {
		return r.now().Sub(*known)
	}
	return 0
}

const (
	askTime   = 5 * time.Second  // how long asking for the version may take
	readTime  = time.Minute      // how long reading may take
	alarmAt   = time.Minute      // when a database that does not answer is an alarm
	alarmEach = 10 * time.Minute // how often the log repeats it
)

// refresh brings the snapshot up to date. After an error the one before stays.
func (r *registry) refresh(ctx context.Context) error {
	began := r.now()
	next, err := r.next(ctx, began)
	if err != nil {
		r.failed.Store(&err)
		return err
	}
	if next != nil {
		r.reportDamaged(r.snapshot.Load(), next)
		r.snapshot.Store(next)
	}
	r.known.Store(&began)
	r.failed.Store(nil)
	return nil
}

// start reads the registry for the first time. Where the database can't be reached, it starts with the
// lanes of the cache.
func (r *registry) start(ctx context.Context) error {
	err := r.refresh(ctx)
	if errors.Is(err, lanes.ErrUnreachable) && r.cache != "" {
		if failed := r.load(); failed != nil {
			return fmt.Errorf("%w; %w", err, failed)
		}
		r.log.Warn("the registry can't be reached; lanes are those of the cache",
			"since", r.known.Load().UTC().Format(time.RFC3339), "reason", err.Error())
		err = nil
	}
	if err != nil {
		return err
	}
	opened, failed := r.snapshot.Load().OpenKeys(keysAtStart)
	if opened == 0 && len(failed) > 0 {
		return failed[0]
	}
	for i, err := range failed {
		if i == maxDamaged {
			break
		}
		r.log.Error("a private key can't be opened; its lanes fail", "reason", err.Error())
	}
	return nil
}

// keysAtStart is how many private keys of the registry are opened at start: a wrong root key must not show
// with the first message.
const keysAtStart = 1000

// next returns the next snapshot, or nil if nothing has changed.
func (r *registry) next(ctx context.Context, now time.Time) (*lanes.Snapshot, error) {
	last := r.snapshot.Load()
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	version, err := r.reader.Store.Version(asking)
	if err != nil {
		return nil, err
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if last == nil {
		next, err := r.reader.Read(reading, now)
		if err == nil {
			r.checked = now
		}
		return next, err
	}
	if now.Sub(r.checked) >= readEvery {
		r.startCheck(ctx, last, now)
	}
	from := cmp.Or(r.endCheck(now), last)
	switch {
	case version == from.Version && from == last:
		return nil, nil
	case version == from.Version:
		r.check.read = nil
		return from, nil
	}
	next, extent, err := r.reader.Refresh(reading, from, now)
	if err != nil {
		return nil, err
	}
	r.check.read = nil
	if extent.Whole {
		r.checked = now
		level := slog.LevelInfo
		if extent.Changed.Restored {
			level = slog.LevelWarn
		}
		r.log.Log(ctx, level, "all lanes were read again", "reason", extent.Changed.Why)
	}
	return next, nil
}

// reportDamaged logs the rows that could be read before, and can't be any more.
func (r *registry) reportDamaged(last, next *lanes.Snapshot) {
	known := map[string]bool{}
	if last != nil {
		for _, row := range last.Damaged() {
			known[row.Error()] = true
		}
	}
	for i, row := range next.Damaged() {
		if i == maxDamaged {
			r.log.Error("more rows of the registry are damaged", "rows", len(next.Damaged())-maxDamaged)
			return
		}
		if !known[row.Error()] {
			r.log.Error("a row of the registry is damaged; its lanes fail", "row", row.Row, "reason", row.Why)
		}
	}
}

// maxDamaged is how many damaged rows the log and the status name.
const maxDamaged = 100

// used notes that an API key was used.
func (r *registry) used(id string) { r.uses.Note(id, r.now()) }

// run keeps the snapshot fresh, stores uses and reports the node, until ctx ends.
func (r *registry) run(ctx context.Context) {
	refresh := time.NewTicker(r.settings.Refresh.Or(defaultRefresh))
	defer refresh.Stop()
	wake := make(chan struct{}, 1)
	var background sync.WaitGroup
	background.Go(func() { r.listen(ctx, wake) })
	background.Go(func() { r.keepUses(ctx) })
	background.Go(func() { r.keepReporting(ctx) })
	defer func() {
		background.Wait()
		r.signOff(context.WithoutCancel(ctx))
	}()
	var last time.Time
	update := func() {
		failing := r.failed.Load() != nil
		err := r.refresh(ctx)
		if last = time.Now(); ctx.Err() == nil {
			r.report(failing, err)
			r.save()
		}
	}
	for {
		select {
		case <-ctx.Done():
			r.saving.done.Wait()
			r.check.done.Wait()
			return
		case <-refresh.C:
			update()
		case <-wake:
			if time.Since(last) >= wakeEach { // otherwise it is read at the next tick
				update()
			}
		}
	}
}

const (
	wakeEach    = 100 * time.Millisecond // how often a notification is followed: an import sends many
	listenAgain = 10 * time.Second       // after what time a lost connection is made again
)

// listen wakes the reading when the database tells of a change. What gets lost is read a moment later.
func (r *registry) listen(ctx context.Context, wake chan<- struct{}) {
	for ctx.Err() == nil {
		err := r.reader.Store.Listen(ctx, func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
		if err == nil {
			return
		}
		again := time.NewTimer(listenAgain)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
}

// report logs that the database does not answer, or answers again: once, and as an alarm from a
// minute on.
func (r *registry) report(failing bool, err error) {
	since := time.Time{}
	if known := r.known.Load(); known != nil {
		since = known.UTC()
	}
	switch {
	case err == nil && failing:
		r.alarmed = time.Time{}
		r.log.Info("the registry can be read again")
	case err == nil:
	case r.age() >= alarmAt && (r.alarmed.IsZero() || r.now().Sub(r.alarmed) >= alarmEach):
		r.alarmed = r.now()
		r.log.Error("alarm: the registry can't be read; lanes stay as they were, until they all fail",
			"since", since.Format(time.RFC3339),
			"fail_at", since.Add(r.settings.StaleAfter.Or(defaultStaleAfter)).Format(time.RFC3339),
			"reason", err.Error())
	case !failing:
		r.log.Warn("the registry can't be read; lanes stay as they were", "since", since.Format(time.RFC3339),
			"reason", err.Error())
	}
}

// status returns what /status tells of the registry.
func (r *registry) status() *registryStatus {
	s, known := r.snapshot.Load(), r.known.Load()
	if s == nil || known == nil {
		return nil
	}
	out := &registryStatus{Node: r.self.name, Taken: s.Taken, Known: *known, Record: s.Version.Seq, Lanes: s.Len()}
	for i, row := range s.Damaged() {
		if out.Damaged++; i < maxDamaged {
			out.Rows = append(out.Rows, row.Error())
		}
	}
	if err := r.failed.Load(); err != nil {
		out.Failed, out.Alarm = (*err).Error(), r.age() >= alarmAt
	}
	return out
}
