package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/countdown"
	"github.com/sealane/sealane/internal/notify"
)

const (
	endsEvery   = time.Minute        // how often ends are looked at
	eventsTime  = time.Minute        // that the events of one look may take
	hookBackoff = 4 * time.Hour      // the longest time until an event is posted again
	hookTries   = 7 * 24 * time.Hour // for how long an event is posted
)

// endWatch tells that certificates in files end: each day of each once since the start.
type endWatch struct {
	mu    sync.Mutex // one look at a time
	notes map[string]*endNote
}

// endNote is what was told of a certificate.
type endNote struct {
	logged *int  // the day whose line is in the log; nil: none
	event  event // of the last day that was due
}

// event is an event of the webhook, from when it is due until it was received.
type event struct {
	id          string
	day         int
	body        []byte
	since, next time.Time
	attempts    int
	ended       bool // it was received, or given up
}

// hook returns the webhook that is told of ends: that of the file, or that of registry.notify. If that one can't be
// used, messages are served all the same: the schedule has an alarm, too.
func (b *builder) hook(ctx context.Context) *notify.Hook {
	c := b.c
	switch {
	case b.in("notify") || b.in("registry"): // it is said already
		return nil
	case c.Notify != nil:
		hook, err := c.Notify.Webhook.Hook(ctx, c.dir)
		if err != nil {
			b.add("notify.webhook", "%v", err)
		}
		return hook
	case c.Registry == nil || c.Registry.Notify == "":
		return nil
	}
	file, err := notify.Read(c.Registry.Notify.in(c.dir))
	if err == nil {
		var hook *notify.Hook
		if hook, err = notify.NewHook(file); err == nil {
			return hook
		}
	}
	b.g.log.Error("no program is told that certificates in files end", "word", "registry.notify",
		"reason", err.Error())
	return nil
}

// watchEnds tells that certificates in files end, until run ends.
func (g *Gateway) watchEnds(run context.Context) {
	for {
		g.CheckEnds(run)
		wait := time.NewTimer(endsEvery)
		select {
		case <-run.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// CheckEnds looks at the certificates in files, as Run does each minute, and tells which of them end: the log and the
// webhook, on each of the days of [WatchedFile] once. A clock that was set back tells nothing again.
func (g *Gateway) CheckEnds(ctx context.Context) {
	g.ends.mu.Lock()
	defer g.ends.mu.Unlock()
	now, seen := g.now(), map[string]*endNote{}
	watched := g.Watched()
	for _, w := range watched {
		key := w.noteKey()
		note := g.ends.notes[key]
		if note == nil {
			note = &endNote{}
		}
		seen[key] = note
		if w.Certificate == nil {
			g.logUnknown(w, note)
			continue
		}
		day, due := w.due(now)
		if !due {
			continue
		}
		if note.logged == nil || day < *note.logged {
			note.logged = &day
			g.logEnd(w, day)
		}
		if note.event.body == nil || day < note.event.day {
			note.event = newEvent(w, day, now)
		}
	}
	g.ends.notes = seen
	g.postEnds(ctx, watched, now)
}

// logUnknown says once that the end of a key is not known.
func (g *Gateway) logUnknown(w WatchedFile, note *endNote) {
	if note.logged == nil {
		note.logged = new(int)
		g.log.Info("the end of a key is not known, and not watched", w.attributes("key", "for")...)
	}
}

// logEnd writes the line of a day.
func (g *Gateway) logEnd(w WatchedFile, day int) {
	level := slog.LevelWarn
	if w.urgent(day) {
		level = slog.LevelError
	}
	text := "a certificate in a file ends"
	if w.DaysLeft < 0 {
		text = "a certificate in a file has ended"
	}
	g.log.Log(context.Background(), level, text, append(w.attributes("certificate", "use"),
		"serial", w.Certificate.SerialNumber.Text(16), "ends", w.Certificate.NotAfter.UTC().Format(time.RFC3339),
		"days_left", w.DaysLeft, "what", w.What())...)
}

// urgent reports whether the notice of a day is an error and not a warning: for lanes from 30 days on, and otherwise
// from 14 on.
func (w WatchedFile) urgent(day int) bool {
	if w.Use.ofLane() {
		return day <= 30
	}
	return day <= 14
}

// attributes returns what a line of the log says of a file.
func (w WatchedFile) attributes(file, use string) []any {
	list := []any{file, w.File, use, string(w.Use)}
	if len(w.Routes) > 0 {
		list = append(list, "routes", strings.Join(w.Routes, ", "))
	}
	if w.Lane != "" {
		list = append(list, "lane", w.Lane)
	}
	return list
}

// What returns what to do next.
func (w WatchedFile) What() string {
	switch {
	case w.Successor != "" && w.Use == UseOurs:
		return "when the partner has installed the certificate of " + w.Successor + ", make that key active"
	case w.Successor != "":
		return "make " + w.Successor + " active when the partner uses it"
	}
	return map[CertificateUse]string{
		UseOurs:     "make the next key pair, and send the partner its certificate",
		UseTheirs:   "ask the partner for its next certificate",
		UseServer:   "put the next certificate into the file",
		UseClient:   "put the next certificate into the file",
		UseClientCA: "ask the callers for the next certificate of their issuer, and add it to the file",
		UseServerCA: "ask for the next certificate of the issuer, and add it to the file",
		UseWebhook:  "tell the operators of the webhook: no event arrives after the end",
	}[w.Use]
}

// newEvent returns the event of a day. Its identity is that of the use, the lane, the certificate and the day, so that
// it is the same after a restart and on other gateways.
func newEvent(w WatchedFile, day int, now time.Time) event {
	c := w.Certificate
	sum := cert.Fingerprints(nil, c).Rows[0].SHA256
	shown := notify.Certificate{
		CommonName: c.Subject.CommonName, SerialHex: c.SerialNumber.Text(16), SerialDecimal: c.SerialNumber.String(),
		Ours: w.Use != UseTheirs, NotAfter: c.NotAfter, DaysLeft: w.DaysLeft, SHA256: sum.Colons,
		What: w.What(),
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]any{ // a buffer takes all
		"type": "certificate.file", "timestamp": countdown.Before(c.NotAfter, day).UTC().Format(time.RFC3339),
		"data": map[string]any{
			"use": w.Use, "file": w.File, "lane": w.Lane, "routes": w.Routes, "day": day,
			"certificates": []notify.Certificate{shown},
		},
	})
	id := fmt.Sprintf("%s.%s.%d", w.Use, sum.Hex, day)
	if w.Lane != "" {
		lane := sha256.Sum256([]byte(w.Lane)) // a name may have what an identity may not
		id = fmt.Sprintf("%s.%x.%s.%d", w.Use, lane[:8], sum.Hex, day)
	}
	return event{id: id, day: day, body: body.Bytes(), since: now}
}

// postEnds posts the events that are due. After the first failure the others wait for the next look: the webhook is
// away.
func (g *Gateway) postEnds(ctx context.Context, watched []WatchedFile, now time.Time) {
	hook := g.state.Load().hook
	if hook == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, eventsTime)
	defer cancel()
	for _, w := range watched {
		e := &g.ends.notes[w.noteKey()].event
		if e.body == nil || e.ended || now.Before(e.next) {
			continue
		}
		err := hook.Post(ctx, e.id, now, e.body)
		if err == nil {
			e.ended = true
			g.metrics.endEvents.WithLabelValues("received").Inc()
			continue
		}
		if ctx.Err() != nil {
			return
		}
		e.attempts++
		e.next = now.Add(min(time.Minute<<min(e.attempts-1, 10), hookBackoff))
		e.ended = now.Sub(e.since) > hookTries
		g.metrics.endEvents.WithLabelValues("failed").Inc()
		g.log.Error("the webhook did not receive that a certificate in a file ends", "event", e.id,
			"attempts", e.attempts, "given_up", e.ended, "reason", err.Error())
		return
	}
}
