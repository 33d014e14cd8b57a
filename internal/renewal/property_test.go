package renewal_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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

// run is some worlds that have seeds one after the other.
type run struct {
	t    testing.TB
	want int // steps

	mu           sync.Mutex
	next         uint64 // seed
	done, worlds int
	activated    int    // keys
	found        string // which invariant a world has broken, and the history of the world
}

// worldSteps is how many steps a world has.
const worldSteps = 400

// worlds runs worlds until they have done so many steps, or one has failed: then it says why.
func worlds(t testing.TB, seed uint64, want int) *run {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is little to keep
	r := &run{t: t, next: seed, want: want}
	var all sync.WaitGroup
	for range proof(1, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for seed, more := r.more(); more; seed, more = r.more() {
				r.world(seed)
			}
		})
	}
	all.Wait()
	return r
}

// more returns a number for the next world, if there is to be one.
func (r *run) more() (seed uint64, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seed, more = r.next, r.done < r.want && r.found == "" && !r.t.Failed()
	r.next++
	return seed, more
}

// world runs the world of one seed.
func (r *run) world(seed uint64) {
	var w *world
	var found string
	rapid.Custom(func(rt *rapid.T) bool {
		if found != "" { // rapid would try again
			return rapid.Bool().Draw(rt, "over")
		}
		defer func() {
			if p := recover(); p != nil && found == "" {
				found = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		w = newWorld(r.t, rt)
		defer w.close()
		w.found = func(text string) { found = text }
		w.live(worldSteps)
		return true
	}).Example(int(seed))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.worlds++
	if w == nil {
		w = &world{}
	}
	r.done += w.steps
	r.activated += w.activated
	if found != "" && r.found == "" {
		r.found = fmt.Sprintf("seed %d, step %d: %s", seed, w.steps, found)
	}
	if r.worlds%100 == 0 {
		r.t.Logf("%d steps, the last world from seed %d", r.done, seed)
	}
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
	began := time.Now()
	r := worlds(t, seed, proof(10_000, 1_000_000))
	if r.found != "" {
		t.Fatal(r.found)
	}
	t.Logf("%d steps of %d worlds from seed %d in %v: %d keys became active, "+
		"and %d exchanges of messages were different",
		r.done, r.worlds, seed, time.Since(began).Round(time.Second), r.activated, exchanges.count())
}

// Without any one guard, a world fails soon: the test sees what each of them prevents.
func TestPropertiesWithoutAGuard(t *testing.T) {
	soon := map[string]uint64{ // from which seed it does not take long; any other finds it later
		"loaded": 102, "confirmed": 12, "quiet": 18, "ordered": 86, "hold": 68, "window": 75, "mail": 29, "rights": 13,
	}
	for _, name := range guardtest.Guards() {
		t.Run(name, func(t *testing.T) {
			guardtest.Without(t, name)
			r := worlds(t, soon[name], proof(6_000, 100_000))
			if r.found == "" {
				t.Fatalf("%d steps without this guard, and nothing has failed", r.done)
			}
			first, _, _ := strings.Cut(r.found, "\n")
			t.Log(first)
		})
	}
}
