package renewal_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/registry/guardtest"
)

// proof returns how often something is repeated: short, or long in interop/proof.sh.
func proof(short, long int) int {
	if os.Getenv("SEALANE_PROOF") == "long" {
		return long
	}
	return short
}

// memory returns a folder that needs no disk, where the system has one.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "sealane")
	if err != nil {
		return t.TempDir()
	}
	return dir
}

func setFlag(t testing.TB, name string, value any) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, fmt.Sprint(value)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set(name, before) })
}

// watcher takes what rapid reports. It wants to know only that a world has failed: which invariant, and
// the history of the world, are in found.
type watcher struct {
	name   string
	failed bool
	found  string
}

func (w *watcher) Helper()              {}
func (w *watcher) Name() string         { return w.name }
func (w *watcher) Logf(string, ...any)  {}
func (w *watcher) Log(...any)           {}
func (w *watcher) Skipf(string, ...any) {}
func (w *watcher) Skip(...any)          {}
func (w *watcher) SkipNow()             {}
func (w *watcher) Error(args ...any)    { w.Errorf("%s", fmt.Sprint(args...)) }
func (w *watcher) Fatal(args ...any)    { w.Fatalf("%s", fmt.Sprint(args...)) }
func (w *watcher) Fail()                { w.failed = true }
func (w *watcher) Failed() bool         { return w.failed }
func (w *watcher) FailNow()             { w.failed = true; panic(w) }

func (w *watcher) Errorf(format string, args ...any) {
	w.failed = true
	w.found = cmp.Or(w.found, fmt.Sprintf(format, args...))
}

func (w *watcher) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	w.FailNow()
}

// worlds runs worlds until they have done so many steps, or one has failed: then it returns why.
func worlds(t testing.TB, seed uint64, want int) (done int, found string) {
	setFlag(t, "rapid.checks", 1)
	setFlag(t, "rapid.steps", 400)
	setFlag(t, "rapid.nofailfile", true)
	setFlag(t, "rapid.shrinktime", "0s")
	to := &watcher{name: t.Name()}
	for ; done < want && !to.failed; seed++ {
		setFlag(t, "rapid.seed", seed)
		func() {
			defer func() {
				if r := recover(); r != nil && r != to {
					panic(r)
				}
			}()
			rapid.Check(to, func(rt *rapid.T) { done += one(t, rt, to, seed) })
		}()
	}
	return done, to.found
}

// one runs one world. After the first failure it does nothing: rapid tries again what has failed.
func one(t testing.TB, rt *rapid.T, to *watcher, seed uint64) (done int) {
	if to.found != "" {
		rt.Fatal("it has failed")
	}
	dir := memory(t)
	defer os.RemoveAll(dir)
	w := newWorld(t, rt, dir)
	defer w.Store.(interface{ Close() error }).Close()
	w.found = func(text string) { to.found = fmt.Sprintf("seed %d, step %d: %s", seed, w.steps, text) }
	rt.Repeat(w.acts())
	w.whole()
	return w.steps
}

// The invariants I1 to I5 and I7 to I12 hold after each step of people, programs, nodes and a partner.
func TestProperties(t *testing.T) {
	seed, err := strconv.ParseUint(flag.Lookup("rapid.seed").Value.String(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if seed == 0 { // the short form has the same worlds each time
		seed = 3470331332
		if proof(0, 1) == 1 {
			seed = rand.Uint64N(1 << 32)
		}
	}
	done, found := worlds(t, seed, proof(10_000, 1_000_000))
	if found != "" {
		t.Fatal(found)
	}
	t.Logf("%d steps from seed %d; %d different exchanges of messages", done, seed, len(exchanges))
}

// Without any one guard, a world fails soon: the test sees what each of them prevents.
func TestPropertiesWithoutAGuard(t *testing.T) {
	soon := map[string]uint64{ // from which seed it does not take long; any other finds it later
		"loaded": 100, "confirmed": 12, "quiet": 16, "ordered": 86, "hold": 66, "window": 72, "mail": 28, "rights": 12,
	}
	for _, name := range guardtest.Guards() {
		t.Run(name, func(t *testing.T) {
			guardtest.Without(t, name)
			done, found := worlds(t, soon[name], proof(6_000, 100_000))
			if found == "" {
				t.Fatalf("%d steps without this guard, and nothing has failed", done)
			}
			first, _, _ := strings.Cut(found, "\n")
			t.Log(first)
		})
	}
}
