package registry_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	if work := os.Getenv("SEALANE_CRASH"); work != "" {
		crashChild(work)
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// crashChild activates a key pair, and is killed at the statement whose number it
// was given: nothing is flushed, rolled back or closed.
func crashChild(pair string) {
	left, counting := len(os.Getenv("SEALANE_CRASH_AT")), false
	ctx := context.Background()
	db, err := store.Open(ctx, os.Getenv("SEALANE_CRASH_DB"), store.Options{Trace: func(string) {
		if !counting {
			return
		}
		if left--; left == 0 {
			os.Stdout.WriteString("killed here\n")
			self, err := os.FindProcess(os.Getpid())
			dieOf(err)
			dieOf(self.Kill())
			select {}
		}
	}})
	dieOf(err)
	s, err := (&registry.Registry{Store: db}).Login(ctx, os.Getenv("SEALANE_TOKEN"))
	dieOf(err)
	counting = true
	dieOf(s.WithReason("a crash test").MovePair(ctx, pair, registry.Active, false))
	os.Exit(0)
}

// An activation changes two key pairs, two certificates and the audit log. Killed at
// any statement of it, all are as before or all are changed.
func TestActivationKilled(t *testing.T) {
	for name, address := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "registry.db") },
		"postgres": pgtest.URL,
	} {
		t.Run(name, func(t *testing.T) {
			at := address(t)
			s, token := founded(t, at)
			acme(t, s)
			n := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
			first, _, err := s.CreateKeyPair(t.Context(), n)
			must(t, err)
			must(t, s.MovePair(t.Context(), first.ID, registry.Active, false))
			n.Renewal = true
			second, _, err := s.CreateKeyPair(t.Context(), n)
			must(t, err)
			seen := map[string]int{}
			for k := 1; ; k++ {
				if k > 200 {
					t.Fatal("the activation never ends")
				}
				killed := killAt(t, at, token, second.ID, k)
				state := statesOf(t, s, first.ID, second.ID)
				seen[state]++
				if !killed || state == "retiring retiring active active" {
					break
				}
			}
			if len(seen) != 2 || seen["active active staged staged"] < 5 ||
				seen["retiring retiring active active"] != 1 {
				t.Errorf("states seen: %v", seen)
			}
			t.Logf("states seen: %v", seen)
		})
	}
}

func killAt(t *testing.T, address, token, pair string, k int) (killed bool) {
	t.Helper()
	executable, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), executable)
	c.Env = append(os.Environ(), "SEALANE_CRASH="+pair, "SEALANE_CRASH_DB="+address,
		"SEALANE_CRASH_AT="+strings.Repeat("x", k), "SEALANE_TOKEN="+token)
	out, err := c.CombinedOutput()
	if killed = strings.Contains(string(out), "killed here"); err != nil && !killed {
		t.Fatalf("%v: %s", err, out)
	}
	return killed
}

// statesOf returns the states of the pairs and of their certificates, and verifies the audit log.
func statesOf(t *testing.T, s *registry.Session, pairs ...string) string {
	t.Helper()
	var states []string
	must(t, s.View(t.Context(), func(tx registry.Reader) error {
		states = nil
		for _, id := range pairs {
			k, err := tx.KeyPair(id)
			must(t, err)
			c, err := tx.Certificate(k.Certificate)
			must(t, err)
			states = append(states, string(k.State), string(c.State))
		}
		report, err := audit.Verify(t.Context(), tx, nil)
		if !report.Holds {
			t.Errorf("the audit log: %s", report)
		}
		return err
	}))
	return strings.Join(states, " ")
}
