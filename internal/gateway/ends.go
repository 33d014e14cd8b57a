package gateway

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"iter"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/countdown"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/lanedir"
)

// CertificateUse says for what a certificate in a file is.
type CertificateUse string

// The uses of certificates.
const (
	UseOurs   CertificateUse = "ours"   // of one of our keys in a lane
	UseTheirs CertificateUse = "theirs" // of one of the partner's keys in a lane
	UseServer CertificateUse = "server" // that we present as a server
	UseClient CertificateUse = "client" // that we present to an upstream
	// UseClientCA and UseServerCA are those by which we know callers and upstreams.
	UseClientCA CertificateUse = "client_ca"
	UseServerCA CertificateUse = "ca"
	// UseWebhook is what the webhook's server has presented.
	UseWebhook CertificateUse = "webhook"
)

// ofLane reports whether messages depend on the certificate: the partner must get or send the next one.
func (u CertificateUse) ofLane() bool { return u == UseOurs || u == UseTheirs }

// issues reports whether other certificates are checked by it.
func (u CertificateUse) issues() bool { return u == UseClientCA || u == UseServerCA }

// WatchedFile is a file with a certificate that the configuration names, and whose end is watched.
type WatchedFile struct {
	Routes []string // that name it; empty for the webhook
	Lane   string   // of the first one; empty for TLS
	Use    CertificateUse
	File   string // or the host of the webhook
	// Successor is the file of a key of the lane that ends later, and is not active yet.
	Successor   string
	Certificate *x509.Certificate // nil: none is known, and so no end
	DaysLeft    int               // until its end, as [countdown.Left] counts them
}

// days returns the days before the end on which the log has a line: from 75 on for lanes, whose partners need
// time, and otherwise from 30 on. Of a certificate that lives for a few weeks, only those in the second half of its
// time count.
func (w WatchedFile) days() []int {
	if w.Use.ofLane() {
		return countdown.Days()
	}
	lives := countdown.Left(w.Certificate.NotAfter, w.Certificate.NotBefore)
	return slices.DeleteFunc([]int{30, 14, 7, 1, 0}, func(n int) bool { return n > 0 && n > lives/2 })
}

// due returns the day whose notice is due, and reports whether one is. Files of issuers keep some that have ended: a
// week after its end none of those is due.
func (w WatchedFile) due(now time.Time) (day int, is bool) {
	if w.Certificate == nil {
		return 0, false
	}
	day, is = countdown.Day(w.days(), w.Certificate.NotAfter, now)
	return day, is && (day >= 0 || !w.Use.issues())
}

// noteKey tells apart what is told: a certificate in one use, of one lane if it is a lane's, or the file of a key
// whose end is not known. The same certificate in two lanes is two: each may have its own successor.
func (w WatchedFile) noteKey() string {
	if w.Certificate == nil {
		return string(w.Use) + " " + w.Lane + " " + w.File
	}
	sum := sha256.Sum256(w.Certificate.Raw)
	return string(w.Use) + " " + w.Lane + " " + string(sum[:])
}

// Watched returns the certificates in files that the configuration names, each use of a certificate once, and of lanes
// once for each lane, those that end first at the beginning. Keys whose end is not known come last. A key of a lane
// that is not active, and ends before one that is, has its successor, and is left out.
func (g *Gateway) Watched() []WatchedFile {
	s := g.state.Load()
	var all []WatchedFile
	at := map[string]int{}
	for w := range s.watched() {
		key := w.noteKey()
		if i, known := at[key]; known {
			if r := w.Routes[0]; !slices.Contains(all[i].Routes, r) {
				all[i].Routes = append(all[i].Routes, r)
			}
			continue
		}
		at[key] = len(all)
		all = append(all, w)
	}
	if s.hook != nil && s.hook.Certificate() != nil {
		all = append(all, WatchedFile{Use: UseWebhook, File: s.hook.Name(), Certificate: s.hook.Certificate()})
	}
	slices.SortStableFunc(all, func(a, b WatchedFile) int { return a.end().Compare(b.end()) })
	for i, w := range all {
		all[i].DaysLeft = countdown.Left(w.end(), g.now())
	}
	return all
}

// Left returns the time until the certificate ends, or since then, in words.
func (w WatchedFile) Left() string { return notify.Certificate{DaysLeft: w.DaysLeft}.Left() }

// Ending returns the certificates of [Gateway.Watched] that end within a number of days, or have ended, and the keys
// whose end is not known. Those of TLS are only in it from 30 days on: many are renewed then.
func (g *Gateway) Ending(days int) (ending, unknown []WatchedFile) {
	now := g.now()
	for _, w := range g.Watched() {
		if w.Certificate == nil {
			unknown = append(unknown, w)
			continue
		}
		within := days
		if !w.Use.ofLane() {
			within = min(days, w.days()[0])
		}
		_, told := w.due(now)
		if !now.Before(countdown.Before(w.end(), within)) && (told || w.DaysLeft >= 0) {
			ending = append(ending, w)
		}
	}
	return ending, unknown
}

// end returns when the certificate ends. One that is not known ends last.
func (w WatchedFile) end() time.Time {
	if w.Certificate == nil {
		return time.Unix(1<<40, 0)
	}
	return w.Certificate.NotAfter
}

// watched yields the certificates in files, as often as routes name them.
func (s *state) watched() iter.Seq[WatchedFile] {
	return func(yield func(WatchedFile) bool) {
		for _, r := range s.routes {
			for w := range r.watched() {
				w.Routes = []string{r.name}
				if !yield(w) {
					return
				}
			}
		}
	}
}

// watched yields the certificates in the files of a route.
func (r *route) watched() iter.Seq[WatchedFile] {
	return func(yield func(WatchedFile) bool) {
		if r.folder != nil && !r.watchedLane(yield) {
			return
		}
		if r.tls != nil {
			c := r.tls.current.Load().Leaf
			if !yield(WatchedFile{Use: UseServer, File: r.tls.certificateFile, Certificate: c}) ||
				!r.tls.issuers.watched(UseClientCA, yield) {
				return
			}
		}
		if r.client != nil {
			c := r.client.current.Load().Leaf
			if !yield(WatchedFile{Use: UseClient, File: r.client.certificateFile, Certificate: c}) {
				return
			}
		}
		r.issuers.watched(UseServerCA, yield)
	}
}

// watchedLane yields the certificates of the route's lane.
func (r *route) watchedLane(yield func(WatchedFile) bool) bool {
	files, lane := r.folder.Files(), r.folder.Lane().Name()
	for _, f := range files {
		w := WatchedFile{Lane: lane, Use: UseTheirs, File: shownFile(f), Certificate: f.Certificate}
		if f.Ours {
			w.Use = UseOurs
		}
		replaced := false
		for _, other := range files {
			if other.Ours != f.Ours || f.Certificate == nil || other.Certificate == nil ||
				!other.Certificate.NotAfter.After(f.Certificate.NotAfter) {
				continue
			}
			if other.State == keyring.Active {
				replaced = true
			} else if other.State == keyring.Staged {
				w.Successor = shownFile(other)
			}
		}
		if !replaced && !yield(w) {
			return false
		}
	}
	return true
}

// shownFile returns the file by which people know a key.
func shownFile(f lanedir.KeyFile) string { return cmp.Or(f.CertificateFile, f.File) }

// watched yields the certificates of issuers in a file.
func (i issuers) watched(use CertificateUse, yield func(WatchedFile) bool) bool {
	for _, c := range i.certificates {
		if !yield(WatchedFile{Use: use, File: i.file, Certificate: c}) {
			return false
		}
	}
	return true
}
