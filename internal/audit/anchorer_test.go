package audit_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
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

// TestPace: which of twelve heads are written, one each minute.
func TestPace(t *testing.T) {
	m := write(t, 12)
	for _, c := range []struct {
		name     string
		every    int
		interval time.Duration
		want     []int64
	}{
		{"each", 0, 0, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"every fifth", 5, 0, []int64{1, 6, 11}},
		{"every four minutes", 0, 4 * time.Minute, []int64{1, 5, 9}},
		{"the sooner", 5, 4 * time.Minute, []int64{1, 5, 9}},
		{"the other sooner", 3, 4 * time.Minute, []int64{1, 4, 7, 10}},
	} {
		path := filepath.Join(t.TempDir(), "heads")
		now := start
		a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}, Every: c.every, Interval: c.interval, Now: func() time.Time { return now }}
		if err := a.Head(t.Context(), audit.Head{}); err != nil { // nothing is recorded yet
			t.Error(err)
		}
		for seq := 1; seq <= 12; seq++ {
			for range 2 { // the second tells nothing new
				if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
					t.Error(err)
				}
			}
			if seq == 6 { // another process goes on
				saved, err := json.Marshal(a.Status())
				var earlier []audit.AnchorStatus
				if err != nil || json.Unmarshal(saved, &earlier) != nil {
					t.Fatal(string(saved), err)
				}
				a = &audit.Anchorer{Anchors: a.Anchors, Every: c.every, Interval: c.interval, Now: a.Now}
				a.Resume(earlier)
			}
			now = now.Add(time.Minute)
		}
		heads, _ := read(t, path)
		var got []int64
		for _, h := range heads {
			got = append(got, h.Seq)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestClockSetBack(t *testing.T) {
	m := write(t, 2)
	path := filepath.Join(t.TempDir(), "heads")
	now := start
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}, Interval: time.Hour, Now: func() time.Time { return now }}
	for seq := 1; seq <= 2; seq++ {
		if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
			t.Error(err)
		}
		now = now.AddDate(-1, 0, 0)
	}
	if heads, _ := read(t, path); len(heads) != 2 {
		t.Error(heads)
	}
}

// TestOneFails: it is tried again at each change, and the others keep their pace.
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
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL), open(t, "file:"+path)}, Every: 4, Now: func() time.Time { return now }}
	for seq := 1; seq <= 9; seq++ {
		down.Store(seq >= 5 && seq <= 7)
		err := a.Head(t.Context(), m.headAt(seq))
		if down.Load() != (err != nil) || err != nil && (!strings.Contains(err.Error(), server.URL) || strings.Contains(err.Error(), path)) {
			t.Errorf("record %d: %v", seq, err)
		}
		status := a.Status()
		if failed := status[0].Failed != ""; failed != down.Load() || failed && (!status[0].Since.Equal(start.Add(4*time.Minute)) || status[0].Last.Seq != 1) {
			t.Errorf("record %d: %+v", seq, status[0])
		}
		now = now.Add(time.Minute)
	}
	// 1; 5, 6 and 7 fail; 8.
	if status := a.Status(); came.Load() != 5 || status[0].Last.Seq != 8 || status[1].Last.Seq != 9 {
		t.Errorf("%d requests, %+v", came.Load(), status)
	}
	if heads, _ := read(t, path); len(heads) != 3 {
		t.Error(heads)
	}
}

// TestNotHeld: while one hangs, the others write, and the status can be read.
func TestNotHeld(t *testing.T) {
	m := write(t, 1)
	stuck, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { close(stuck); <-release }))
	defer server.Close()
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL), open(t, "syslog+udp://"+log.LocalAddr().String())}}
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

// TestOtherHash: the anchorer itself notices when it is shown another chain.
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
	if err := a.Head(t.Context(), m.headAt(3)); err == nil || !strings.Contains(err.Error(), "the chain was rewritten") {
		t.Error(err)
	}
	if heads, _ := read(t, path); len(heads) != 1 {
		t.Error(heads)
	}
}

// TestManyAtOnce: each head comes to each anchor at most once, and in order.
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

// TestToldAhead: a status that somebody has put ahead of the log does not stop the
// anchors; it is said once.
func TestToldAhead(t *testing.T) {
	m := write(t, 12)
	other := append([]byte{1}, m.headAt(9).Hash[1:]...)
	for name, told := range map[string]audit.Head{
		"far ahead":        {Seq: 1 << 60, Hash: m.headAt(3).Hash, Time: start},
		"the next":         {Seq: 10, Hash: m.headAt(10).Hash, Time: start},
		"with other bytes": {Seq: 9, Hash: other, Time: start},
	} {
		path := filepath.Join(t.TempDir(), "heads")
		a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}, Every: 2}
		a.Resume([]audit.AnchorStatus{{Anchor: "file:" + path, Last: told, At: start}})
		if err := a.Head(t.Context(), m.headAt(9)); err == nil || !strings.Contains(err.Error(), "file:"+path) || !strings.Contains(err.Error(), "verify the log") {
			t.Errorf("%s: %v", name, err)
		}
		for seq := 10; seq <= 12; seq++ {
			if err := a.Head(t.Context(), m.headAt(seq)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		heads, _ := read(t, path)
		if len(heads) != 2 || heads[0].Seq != 9 || heads[1].Seq != 11 || a.Status()[0].Last.Seq != 11 {
			t.Errorf("%s: %+v", name, heads)
		}
	}
}

// TestToldAheadOfAnAnchorThatFails: what was said stays said until the head is there.
func TestToldAheadOfAnAnchorThatFails(t *testing.T) {
	m := write(t, 3)
	var down atomic.Bool
	down.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, server.URL)}, Every: 100}
	a.Resume([]audit.AnchorStatus{{Anchor: a.Anchors[0].String(), Last: audit.Head{Seq: 50, Hash: m.headAt(1).Hash}, At: start}})
	if err := a.Head(t.Context(), m.headAt(2)); err == nil || !strings.Contains(err.Error(), "verify the log") || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	if status := a.Status()[0]; status.Last.Seq != 0 || status.Failed == "" {
		t.Errorf("%+v", status)
	}
	down.Store(false)
	if err := a.Head(t.Context(), m.headAt(3)); err != nil || a.Status()[0].Last.Seq != 3 {
		t.Errorf("%v, %+v", err, a.Status())
	}
}

// TestWrite: it asks for no pace, and not whether the head is there already.
func TestWrite(t *testing.T) {
	m := write(t, 3)
	path := filepath.Join(t.TempDir(), "heads")
	a := &audit.Anchorer{Anchors: []audit.Anchor{open(t, "file:"+path)}, Every: 100}
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
	if len(heads) != 3 || heads[0].Seq != 1 || heads[1].Seq != 3 || heads[2].Seq != 3 || !verify(t, m, heads...).Holds {
		t.Errorf("%+v", heads)
	}
}
