package gateway_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// TestStartWithoutDatabase: a gateway starts with the lanes of its cache, and serves until they are too
// old. When the database is back, it goes on with that.
func TestStartWithoutDatabase(t *testing.T) {
	servedOnBoth(t, func(t *testing.T, s *served) {
		cache := filepath.Join(t.TempDir(), "lanes.cache")
		words := ", stale_after: 1h, cache: '" + cache + "'"
		first := s.start(t, words, 0)
		first.saved.wait(t, 1)
		first.logged() // ends it, when the file is written
		kept, err := os.ReadFile(cache)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(cache); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if bytes.Contains(kept, []byte("acme")) {
			t.Error("the cache shows its partners")
		}

		back := s.away()
		n := s.start(t, words, 30*time.Minute)
		if status := n.evaluate(t); status != 200 {
			t.Errorf("from the cache: %d", status)
		}
		if got := n.ends(t); len(got) != 1 {
			t.Errorf("ends of certificates from the cache: %q", got)
		}
		if log := n.log.String(); !strings.Contains(log, "lanes are those of the cache") {
			t.Error(log)
		}
		n.clock.Store(int64(61 * time.Minute))
		if status := n.evaluate(t); status != 503 {
			t.Errorf("from a cache that is too old: %d", status)
		}
		for _, c := range []struct {
			words string
			clock time.Duration
			why   string
		}{
			{words, 62 * time.Minute, "older than registry.stale_after"}, {words, -2 * time.Minute, "in the future"},
			{words + ", environments: [SANDBOX]", 0, "other environments"},
			{", cache: '" + cache + ".none'", 0, "there is no cache yet"}, {"", 0, "the database can't be reached"},
		} {
			if why := s.refused(t, c.words, c.clock); !strings.Contains(why, c.why) {
				t.Errorf("%s, %v: %s", c.words, c.clock, why)
			}
		}
		for what, changed := range map[string][]byte{
			"cut": kept[:len(kept)-1], "longer": append(bytes.Clone(kept), 0), "empty": {},
			"changed": append(bytes.Clone(kept[:len(kept)-1]), kept[len(kept)-1]^1),
		} {
			write(t, cache+".bad", string(changed))
			if err := os.Chmod(cache+".bad", 0o600); err != nil {
				t.Fatal(err)
			}
			why := s.refused(t, ", stale_after: 1h, cache: '"+cache+".bad'", 0)
			if !strings.Contains(why, rootkey.ErrDamaged.Error()) {
				t.Errorf("%s: %s", what, why)
			}
		}
		if runtime.GOOS != "windows" {
			if err := os.Chmod(cache+".bad", 0o644); err != nil {
				t.Fatal(err)
			}
			if why := s.refused(t, ", cache: '"+cache+".bad'", 0); !strings.Contains(why, "others can read") {
				t.Error(why)
			}
		}
		other := *s
		other.root = filepath.Join(t.TempDir(), "other.key")
		if _, err := rootkey.Create(other.root); err != nil {
			t.Fatal(err)
		}
		if why := other.refused(t, words, 0); !strings.Contains(why, rootkey.ErrOtherKey.Error()) {
			t.Error(why)
		}
		other = *s
		other.address = strings.Replace(s.address, filepath.Base(s.address), "elsewhere", 1)
		if why := other.refused(t, words, 0); !strings.Contains(why, rootkey.ErrDamaged.Error()) {
			t.Errorf("the cache of another database: %s", why)
		}

		back()
		n.log.wait(t, "the registry can be read again", 1)
		if status := n.evaluate(t); status != 200 {
			t.Errorf("with the database again: %d", status)
		}
		s.revoke()
		n.asked.read(t)
		if status := n.evaluate(t); status != 401 {
			t.Errorf("a revoked key: %d", status)
		}
		// A database that answers, and is not the right one, is refused, whatever the cache has.
		other = *s
		other.root = filepath.Join(t.TempDir(), "third.key")
		if _, err := rootkey.Create(other.root); err != nil {
			t.Fatal(err)
		}
		if why := other.refused(t, words, 0); !strings.Contains(why, "the registry is sealed under") {
			t.Error(why)
		}
	})
}

// TestSwallowedPackets: a network that takes the bytes of a connection and delivers none costs no
// traffic; a new connection serves the next change.
func TestSwallowedPackets(t *testing.T) {
	direct := pgtest.URL(t)
	p := newProxy(t, direct)
	s := newServed(t, direct, p.address(t, direct), p)
	n := s.start(t, "", 0)
	p.swallow.Store(true)
	n.asked.read(t)
	if now := n.status(t); !strings.Contains(now, `"failed"`) {
		t.Error(now)
	}
	if status := n.evaluate(t); status != 200 {
		t.Errorf("meanwhile: %d", status)
	}
	p.swallow.Store(false)
	s.revoke()
	n.log.wait(t, "the registry can be read again", 1)
	n.asked.read(t)
	if status := n.evaluate(t); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
}

// TestStartWithSilentDatabase: a gateway starts with the lanes of its cache also where its database takes connections
// and says nothing, and goes on with the database when that answers.
func TestStartWithSilentDatabase(t *testing.T) {
	direct := pgtest.URL(t)
	p := newProxy(t, direct)
	s := newServed(t, direct, p.address(t, direct), p)
	words := ", cache: '" + filepath.Join(t.TempDir(), "lanes.cache") + "'"
	first := s.start(t, words, 0)
	first.saved.wait(t, 1)
	first.logged()
	p.swallow.Store(true)
	n := s.start(t, words, 0)
	if status := n.evaluate(t); status != 200 {
		t.Errorf("from the cache: %d", status)
	}
	if why := s.refused(t, "", 0); !strings.Contains(why, "the database can't be reached") {
		t.Errorf("without a cache: %q", why)
	}
	p.swallow.Store(false)
	s.revoke()
	n.log.wait(t, "the registry can be read again", 1)
	n.asked.read(t)
	if status := n.evaluate(t); status != 401 {
		t.Errorf("a revoked key: %d", status)
	}
}
