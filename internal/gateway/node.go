package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/sealhttp"
)

// self is what a process reports of itself in a registry.
type self struct {
	name    string
	process string // tells the processes of one name apart
	started time.Time

	counted  atomic.Pointer[time.Time] // uses until then are stored
	passedOn atomic.Bool               // the registry of a new configuration goes on with it
	reported bool                      // once or more
	failing  bool                      // the last report was not stored
	last     lanes.Node                // the last report that was stored
	warned   time.Time                 // when the log had last that two processes have one name
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// node returns the name by which a gateway reports itself.
func (c *RegistryConfig) node() (string, error) {
	if c.Node != "" {
		return c.Node, nil
	}
	host, err := os.Hostname()
	name := strings.Map(func(r rune) rune {
		if nodeName.MatchString(string(r)) {
			return r
		}
		return '-'
	}, host)
	if err != nil || !nodeName.MatchString(name) {
		return "", errors.New("node: the host's name can't be used: give a name")
	}
	return name, nil
}

// setSelf sets what the registry's node reports of itself. It goes on with that of an old configuration for the
// same database and name, so that no use is lost that is noted by a request which still has lanes of the old one.
func (r *registry) setSelf(ctx context.Context, name string, old *state) {
	if old != nil && old.registry != nil && r.follows(ctx, old.registry) {
		r.uses = old.registry.uses
		if old.registry.self.name == name {
			r.self = &self{name: name, process: old.registry.self.process, started: old.registry.self.started}
			r.self.counted.Store(old.registry.self.counted.Load())
			return
		}
	}
	r.self = &self{name: name, process: rand.Text(), started: r.now()}
	r.self.counted.Store(&r.self.started)
}

// follows reports whether the database is that of another registry, by whatever address: the audit log has the
// record that was in force there. While nobody can tell, it is: uses of keys that a database does not have are not
// stored in it.
func (r *registry) follows(ctx context.Context, before *registry) bool {
	if before.settings.DB == r.settings.DB {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	has, err := r.reader.Has(ctx, before.snapshot.Load().Version)
	return has || err != nil
}

// passOn tells the registry of an old configuration that this one is in force, and whether it goes on with what
// that one reports.
func (r *registry) passOn(old *registry) {
	if old != r {
		old.replaced.Store(true)
		old.self.passedOn.Store(old.self.process == r.self.process)
	}
}

// use notes that the keys of a lane were used for a message. Of one whose content was refused, it is the key pair
// that has decrypted it.
func (f found) use(e sealhttp.Event, at time.Time) {
	switch {
	case f.uses == nil:
	case e.Err != nil:
		if failed, is := errors.AsType[*sealane.Error](e.Err); is && failed.OpenedBy != nil {
			f.uses.Decrypted(*failed.OpenedBy, f.keys, at)
		}
	case e.Step == sealhttp.StepSeal:
		f.uses.Sealed(e.Keys, f.keys, at)
	default:
		f.uses.Opened(e.Message, f.keys, at)
	}
}

const (
	useEach    = time.Minute      // how often uses are stored
	useTime    = 30 * time.Second // how long that may take, also at the end, while the database answers
	reportEach = 10 * time.Second // how often the node reports itself if nothing changes
	reportNext = 2 * time.Second  // how soon after a report it reports a new record
	endTime    = 5 * time.Second  // how long the last report may take
)

// keepUses stores uses every minute, until ctx ends.
func (r *registry) keepUses(ctx context.Context) {
	each := time.NewTicker(min(time.Second, r.settings.Refresh.Or(defaultRefresh)))
	defer each.Stop()
	last := r.self.started
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
		if since := r.now().Sub(last); since >= 0 && since < useEach {
			continue
		}
		last = r.now()
		limited, cancel := context.WithTimeout(ctx, useTime)
		r.writeUses(limited, false)
		cancel()
	}
}

// writeUses stores uses: of keys those that are due, or all of them. It returns how many uses of keys are
// left.
func (r *registry) writeUses(ctx context.Context, all bool) (left int64) {
	failed := r.uses.Write(ctx, r.reader.Store)
	written, err := r.uses.WriteKeys(ctx, r.reader.Store, r.self.name, r.self.process, r.now(), all)
	if err = errors.Join(failed, err); err != nil {
		r.log.Warn("uses of API keys and keys are not stored yet", "reason", err.Error())
	}
	if written.Lost > 0 {
		r.log.Error("uses of keys were not counted: there were too many keys while the registry could not be written",
			"uses", written.Lost)
	}
	r.self.counted.Store(&written.Counted)
	return written.Left
}

// keepReporting reports the node, until ctx ends.
func (r *registry) keepReporting(ctx context.Context) {
	each := time.NewTicker(min(time.Second, r.settings.Refresh.Or(defaultRefresh)))
	defer each.Stop()
	for {
		if r.failed.Load() == nil { // otherwise the database would not answer either
			limited, cancel := context.WithTimeout(ctx, askTime)
			r.reportNode(limited)
			cancel()
		}
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
	}
}

// node returns what the process reports of itself.
func (r *registry) node() lanes.Node {
	s, now := r.self, r.now()
	n := lanes.Node{Name: s.name, Process: s.process, Started: s.started, At: now, Counted: *s.counted.Load()}
	if snapshot := r.snapshot.Load(); snapshot != nil {
		n.Record = snapshot.Version.Seq
	}
	if known := r.known.Load(); known != nil {
		n.Serves = known.Add(r.settings.StaleAfter.Or(defaultStaleAfter))
	}
	return n
}

// reportNode stores a report if it is time for one.
func (r *registry) reportNode(ctx context.Context) {
	n, s := r.node(), r.self
	since := n.At.Sub(s.last.At)
	if s.reported && since >= 0 && since < reportEach && (n.Record == s.last.Record || since < reportNext) {
		return
	}
	before, err := r.reader.Store.ReportNode(ctx, n, s.reported)
	if err != nil {
		if !s.failing && ctx.Err() != context.Canceled {
			r.log.Warn("the node can't report itself in the registry", "node", s.name, "reason", err.Error())
		}
		s.failing = true
		return
	}
	if s.failing {
		r.log.Info("the node reports itself again", "node", s.name)
	}
	other := before.Name != "" && before.Process != s.process
	switch {
	case other && s.reported && (s.warned.IsZero() || n.At.Sub(s.warned) >= alarmEach):
		s.warned = n.At
		r.log.Warn("another process reports itself by this name at the same time: give each its own (registry.node)",
			"node", s.name, "started", before.Started.UTC().Format(time.RFC3339))
	case other && !s.reported && !before.Gone():
		r.log.Info("an earlier process of this node has not signed off; this one takes its place", "node", s.name,
			"started", before.Started.UTC().Format(time.RFC3339), "reported", before.At.UTC().Format(time.RFC3339))
	}
	s.reported, s.failing, s.last = true, false, n
}

// signOff stores the last uses, and that the node has ended.
func (r *registry) signOff(ctx context.Context) {
	if r.self.passedOn.Load() {
		return
	}
	in := useTime
	if r.failed.Load() != nil {
		in = endTime
	}
	limited, cancel := context.WithTimeout(ctx, in)
	defer cancel()
	if left := r.writeUses(limited, true); left > 0 {
		r.log.Error("the last uses of keys are not stored", "uses", left)
	}
	limited, cancel = context.WithTimeout(ctx, endTime)
	defer cancel()
	n := r.node()
	n.Ended = n.At
	if err := r.reader.Store.EndNode(limited, n); err != nil {
		r.log.Warn("the node can't report in the registry that it has ended", "node", n.Name, "reason", err.Error())
	}
}
