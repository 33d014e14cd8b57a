package audit_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

func contextFor(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 20*time.Second)
}

// TestEachHead: every head is written once to each anchor.
func TestEachHead(t *testing.T) {
	m := write(t, 12)
	path := filepath.Join(t.TempDir(), "heads")
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}}
	if err := a.Head(t.Context(), audit.Head{}); err != nil { // nothing is recorded yet
		t.Error(err)
	}
	for seq := 1; seq <= 12; seq++ {
		for range 2 { // the second has nothing new
			if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
				t.Error(err)
			}
		}
	}
	heads, _ := read(t, path)
	for i, h := range heads {
		if h.Seq != int64(i+1) {
			t.Errorf("head %d at place %d", h.Seq, i+1)
		}
	}
	if status := a.Status(); len(heads) != 12 || status[0].Last.Seq != 12 {
		t.Errorf("%d heads, %+v", len(heads), status)
	}
}

// TestHangingAnchorIsRemembered: an anchor that failed is not tried again for a minute, by
// this process or the next one, because each attempt may take as long as a time-out. It is
// tried if the caller asks for it explicitly.
func TestHangingAnchorIsRemembered(t *testing.T) {
	m := write(t, 9)
	var came atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	now := start
	anchor := open(t, server.URL)
	a := &audit.Anchorer{Anchors: []audit.Anchor{anchor}, Now: func() time.Time { return now }}
	for i, c := range []struct {
		after time.Duration
		again bool // another process goes on
		write bool
		tried bool
	}{
		{0, false, false, true},
		{59 * time.Second, false, false, false},
		{0, true, false, false},
		{0, true, true, true}, // audit anchor
		{59 * time.Second, true, false, false},
		{time.Second, true, false, true},
		{time.Minute, false, false, true},
		{-time.Hour, true, false, true}, // the clock was set back
	} {
		now = now.Add(c.after)
		if c.again {
			saved, err := json.Marshal(a.Status())
			var earlier []audit.AnchorStatus
			if err != nil || json.Unmarshal(saved, &earlier) != nil {
				t.Fatal(string(saved), err)
			}
			a = &audit.Anchorer{Anchors: a.Anchors, Earlier: earlier, Now: a.Now}
		}
		put := a.Head
		if c.write {
			put = a.Write
		}
		before := came.Load()
		err := put(t.Context(), m.headAt(i+1))
		if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("step %d: %v", i, err)
		}
		if tried := came.Load() != before; tried != c.tried || strings.Contains(err.Error(),
			"was not tried") == tried {
			t.Errorf("step %d: tried %t, %v", i, tried, err)
		}
		if status := a.Status()[0]; status.Failed == "" || !status.Since.Equal(start) {
			t.Errorf("step %d: %+v", i, status)
		}
	}
}

// TestOneFails: it is tried again a minute later, and the others are written meanwhile.
func TestOneFails(t *testing.T) {
	m := write(t, 9)
	var down atomic.Bool
	var came atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "heads")
	now := start
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL), open(t, "file:"+path)},
		Now: func() time.Time { return now }}
	for seq := 1; seq <= 9; seq++ {
		down.Store(seq >= 5 && seq <= 7)
		err := a.Head(t.Context(), m.headAt(seq))
		if down.Load() != (err != nil) || err != nil && (!strings.Contains(err.Error(), server.URL) ||
			strings.Contains(err.Error(), path)) {
			t.Errorf("record %d: %v", seq, err)
		}
		status := a.Status()
		if failed := status[0].Failed != ""; failed != down.Load() || failed &&
			(!status[0].Since.Equal(start.Add(4*time.Minute)) || status[0].Last.Seq != 4) {
			t.Errorf("record %d: %+v", seq, status[0])
		}
		now = now.Add(time.Minute)
	}
	// 5, 6 and 7 fail.
	if status := a.Status(); came.Load() != 9 || status[0].Last.Seq != 9 || status[1].Last.Seq != 9 {
		t.Errorf("%d requests, %+v", came.Load(), status)
	}
	if heads, _ := read(t, path); len(heads) != 9 {
		t.Error(heads)
	}
}

// TestNotHeld: while one hangs, the others are written, and the status can be read.
func TestNotHeld(t *testing.T) {
	m := write(t, 1)
	stuck, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		close(stuck)
		<-release
	}))
	defer server.Close()
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL),
		open(t, "syslog+udp://"+log.LocalAddr().String())}}
	done := make(chan error)
	go func() { done <- a.Head(t.Context(), m.headAt(1)) }()
	<-stuck
	if text := receive(t, log); !strings.Contains(text, `{"seq":1,`) || a.Status()[0].Last.Seq != 0 {
		t.Errorf("%q, %+v", text, a.Status())
	}
	close(release)
	if err := <-done; err != nil || a.Status()[0].Last.Seq != 1 || a.Status()[1].Last.Seq != 1 {
		t.Errorf("%v, %+v", err, a.Status())
	}
}

// TestOtherHash: the anchorer itself detects another chain.
func TestOtherHash(t *testing.T) {
	m := write(t, 3)
	path := filepath.Join(t.TempDir(), "heads")
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}}
	if err := a.Head(t.Context(), m.headAt(3)); err != nil {
		t.Fatal(err)
	}
	if err := a.Head(t.Context(), m.headAt(2)); err != nil { // it was overtaken
		t.Error(err)
	}
	m.records[0].Actor = "nobody"
	m.rechain(0)
	if err := a.Head(t.Context(), m.headAt(3)); err == nil || !strings.Contains(err.Error(),
		"the chain was rewritten") {
		t.Error(err)
	}
	if heads, _ := read(t, path); len(heads) != 1 {
		t.Error(heads)
	}
}

// TestManyAtOnce: each head is written to each anchor at most once, and in order.
func TestManyAtOnce(t *testing.T) {
	m := write(t, 40)
	paths := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+paths[0]), open(t, "file:"+paths[1])}}
	var wait sync.WaitGroup
	for seq := 1; seq <= 40; seq++ {
		wait.Go(func() {
			if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, path := range paths {
		heads, _ := read(t, path)
		for i := 1; i < len(heads); i++ {
			if heads[i].Seq <= heads[i-1].Seq {
				t.Errorf("%d behind %d", heads[i].Seq, heads[i-1].Seq)
			}
		}
		if report := verify(t, m, heads...); !report.Holds || report.AnchoredTo != 40 {
			t.Error(report)
		}
	}
}

// TestCheck: a status that the log contradicts is found, no matter which of them was changed.
func TestCheck(t *testing.T) {
	m := write(t, 9)
	other := append([]byte{1}, m.headAt(9).Hash[1:]...)
	for name, c := range map[string]struct {
		last audit.Head
		says string
	}{
		"none":           {audit.Head{}, ""},
		"the head":       {m.headAt(9), ""},
		"an earlier one": {m.headAt(3), ""},
		"far ahead": {audit.Head{Seq: 1 << 60, Hash: m.headAt(3).Hash, Time: start},
			"the log was cut or restored"},
		"the next":         {audit.Head{Seq: 10, Hash: m.headAt(9).Hash, Time: start}, "the log was cut or restored"},
		"with other bytes": {audit.Head{Seq: 9, Hash: other, Time: start}, "the chain was rewritten"},
	} {
		status := audit.AnchorStatus{Anchor: "file:heads", Last: c.last, At: start}
		contradiction, err := status.Check(m)
		if err != nil || (contradiction == nil) != (c.says == "") {
			t.Errorf("%s: %v, %v", name, contradiction, err)
		}
		if contradiction != nil && (!strings.Contains(contradiction.Error(), c.says) ||
			!strings.Contains(contradiction.Error(), "file:heads")) {
			t.Errorf("%s: %v", name, contradiction)
		}
	}
}

// TestStatusAhead: a forged status that is ahead of the log does not stop the anchors.
func TestStatusAhead(t *testing.T) {
	m := write(t, 12)
	path := filepath.Join(t.TempDir(), "heads")
	earlier := audit.AnchorStatus{Anchor: "file:" + path, Last: audit.Head{Seq: 1 << 60, Hash: m.headAt(3).Hash},
		At: start}
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}, Earlier: []audit.AnchorStatus{earlier}}
	for seq := 9; seq <= 12; seq++ {
		if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
			t.Error(err)
		}
	}
	if heads, _ := read(t, path); len(heads) != 4 || heads[0].Seq != 9 || a.Status()[0].Last.Seq != 12 {
		t.Errorf("%+v", heads)
	}
}

// TestStatusAheadOfAnAnchorThatFails: the status does not change until a head is written,
// so that its contradiction is found again.
func TestStatusAheadOfAnAnchorThatFails(t *testing.T) {
	m := write(t, 3)
	var down atomic.Bool
	down.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	anchor := open(t, server.URL)
	earlier := audit.AnchorStatus{Anchor: anchor.String(), Last: audit.Head{Seq: 50, Hash: m.headAt(1).Hash},
		At: start}
	a := &audit.Anchorer{Anchors: []audit.Anchor{anchor}, Earlier: []audit.AnchorStatus{earlier}}
	if err := a.Write(t.Context(), m.headAt(2)); err == nil || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	if status := a.Status()[0]; status.Last.Seq != 50 || status.Failed == "" {
		t.Errorf("%+v", status)
	}
	down.Store(false)
	if err := a.Write(t.Context(), m.headAt(3)); err != nil || a.Status()[0].Last.Seq != 3 ||
		a.Status()[0].Failed != "" {
		t.Errorf("%v, %+v", err, a.Status())
	}
}

// TestWrite: it writes even if the anchor has the head already.
func TestWrite(t *testing.T) {
	m := write(t, 3)
	path := filepath.Join(t.TempDir(), "heads")
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}}
	for _, put := range []func() error{
		func() error { return a.Head(t.Context(), m.headAt(1)) },
		func() error { return a.Head(t.Context(), m.headAt(3)) },
		func() error { return a.Write(t.Context(), m.headAt(3)) },
		func() error { return a.Write(t.Context(), m.headAt(3)) },
		func() error { return a.Write(t.Context(), m.headAt(2)) }, // it was overtaken
	} {
		if err := put(); err != nil {
			t.Error(err)
		}
	}
	heads, _ := read(t, path)
	if len(heads) != 4 || heads[0].Seq != 1 || heads[1].Seq != 3 || heads[3].Seq != 3 ||
		!verify(t, m, heads...).Holds {
		t.Errorf("%+v", heads)
	}
}

// TestHangingAnchorEnds: a head waits a limited time for an anchor that never answers, says so, and
// waits less the next time. The others have it meanwhile, and the anchor has the next when it answers.
func TestHangingAnchorEnds(t *testing.T) {
	m := write(t, 4)
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "heads")
	now := start
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL), open(t, "file:"+path)},
		Now: func() time.Time { return now }}
	for i, says := range []string{"did not answer within 2s", "was not tried", "did not answer within 200ms"} {
		if i == 2 {
			now = now.Add(time.Minute)
		}
		err := a.Head(t.Context(), m.headAt(i+1))
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("head %d: %v", i+1, err)
		}
		status := a.Status()
		if status[0].Failed == "" || status[0].Last.Seq != 0 || status[1].Last.Seq != int64(i+1) {
			t.Errorf("head %d: %+v", i+1, status)
		}
	}
	close(hangs)
	if err := a.Write(t.Context(), m.headAt(4)); err != nil {
		t.Error(err)
	}
	if status := a.Status()[0]; status.Last.Seq != 4 || status.Failed != "" {
		t.Errorf("%+v", status)
	}
}
