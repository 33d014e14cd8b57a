package admission_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealane/sealane/internal/admission"
)

// line is a gate with what became of those who asked it for a place, by their names.
type line struct {
	*admission.Gate
	mu       sync.Mutex
	admitted []string
	leave    map[string]func()
	refused  map[string]error
}

func newLine(places int) *line {
	return &line{
		Gate:  admission.NewGate(places, time.Second),
		leave: map[string]func(){}, refused: map[string]error{},
	}
}

// ask asks for a place, and returns when the answer is there or the asker waits.
func (l *line) ask(ctx context.Context, name string, who admission.Party, order admission.Order) {
	go func() {
		leave, err := l.Enter(ctx, who, order)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.refused[name] = err
			return
		}
		l.admitted, l.leave[name] = append(l.admitted, name), leave
	}()
	synctest.Wait()
}

// refusals returns who was refused, and why.
func (l *line) refusals() map[string]error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.refused)
}

// places returns who got a place, in that order.
func (l *line) places() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.admitted)
}

// end ends the work of one who has a place.
func (l *line) end(name string) {
	l.mu.Lock()
	leave := l.leave[name]
	l.mu.Unlock()
	leave()
	synctest.Wait()
}

// drain ends the work of all, in the order in which they got their places, and returns that order.
func (l *line) drain() string {
	for i := 0; i < len(l.places()); i++ {
		l.end(l.places()[i])
	}
	return strings.Join(l.places(), " ")
}

func partner(name string) admission.Party { return admission.Party{Partner: name} }

// TestTurns: who is served next.
func TestTurns(t *testing.T) {
	type asker struct {
		name  string
		who   admission.Party
		order admission.Order
	}
	many := func(name string, n int, who admission.Party, order admission.Order) (all []asker) {
		for i := range n {
			all = append(all, asker{fmt.Sprint(name, i), who, order})
		}
		return all
	}
	const request, answer, last = admission.Request, admission.Answer, admission.Last
	for _, c := range []struct {
		name   string
		asking [][]asker
		want   string
	}{
		{"one after the other", [][]asker{many("a", 4, partner("a"), request)}, "a0 a1 a2 a3"},
		{"partners in turn", [][]asker{
			many("a", 4, partner("a"), request), many("b", 2, partner("b"), request),
			many("c", 3, partner("c"), request),
		}, "a0 b0 c0 a1 b1 c1 a2 c2 a3"},
		{"answers first, and in turn", [][]asker{
			many("a", 3, partner("a"), request), many("b", 2, partner("b"), request),
			many("A", 3, partner("a"), answer), many("B", 1, partner("b"), answer),
		}, "A0 B0 A1 A2 a0 b0 a1 b1 a2"},
		{"last", [][]asker{
			many("bad", 3, partner("a"), last), many("good", 2, partner("a"), request),
			many("b", 3, partner("b"), request), many("A", 1, partner("a"), answer),
		}, "A0 good0 b0 good1 b1 b2 bad0 bad1 bad2"},
		{"sources of one partner in turn", [][]asker{
			many("x", 4, admission.Party{Partner: "a", Source: "x"}, request),
			many("y", 2, admission.Party{Partner: "a", Source: "y"}, request),
			many("b", 3, partner("b"), request),
		}, "x0 b0 y0 b1 x1 b2 y1 x2 x3"},
		{"many sources are one partner", [][]asker{
			many("x", 1, admission.Party{Partner: "a", Source: "x"}, request),
			many("y", 1, admission.Party{Partner: "a", Source: "y"}, request),
			many("z", 1, admission.Party{Partner: "a", Source: "z"}, request),
			many("b", 2, partner("b"), request),
		}, "x0 b0 y0 b1 z0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(1)
				l.ask(t.Context(), "first", partner("none"), request)
				for _, group := range c.asking {
					for _, a := range group {
						l.ask(t.Context(), a.name, a.who, a.order)
					}
				}
				if got := l.drain(); got != "first "+c.want {
					t.Errorf("served in the order %s, want %s", got, c.want)
				}
				if u := l.Usage(); u != (admission.Usage{Places: 1}) {
					t.Error(u)
				}
			})
		})
	}
}

// TestShareOfThePlaces: a partner with more places than another waits until the other has as many.
func TestShareOfThePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(4)
		for i := range 8 {
			l.ask(t.Context(), fmt.Sprint("a", i), partner("a"), admission.Request)
		}
		if got := strings.Join(l.places(), " "); got != "a0 a1 a2 a3" {
			t.Fatalf("alone, a has the places of %s, want all", got)
		}
		for i := range 3 {
			l.ask(t.Context(), fmt.Sprint("b", i), partner("b"), admission.Request)
		}
		for _, name := range []string{"a0", "a1", "a2", "b0"} {
			l.end(name)
		}
		// The fourth place that is free again: b has one place, and a one.
		if got := strings.Join(l.places()[4:], " "); got != "b0 b1 a4 b2" {
			t.Errorf("then the places went to %s", got)
		}
	})
}

// TestWaiting: a request waits for a second, an answer as long as its context.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		l.ask(t.Context(), "first", partner("a"), admission.Request)
		l.ask(t.Context(), "request", partner("b"), admission.Request)
		l.ask(t.Context(), "last", partner("b"), admission.Last)
		l.ask(t.Context(), "answer", partner("b"), admission.Answer)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l.ask(ctx, "deadline", partner("b"), admission.Answer)
		gone, leave := context.WithCancelCause(t.Context())
		l.ask(gone, "gone", partner("b"), admission.Request)
		why := errors.New("the client is gone")
		leave(why)
		synctest.Wait()
		if !errors.Is(l.refusals()["gone"], why) {
			t.Error(l.refusals()["gone"])
		}
		time.Sleep(time.Second - 1)
		synctest.Wait()
		if len(l.refusals()) != 1 {
			t.Errorf("refused before the second is over: %v", l.refusals())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		for _, name := range []string{"request", "last"} {
			if !errors.Is(l.refusals()[name], admission.ErrBusy) {
				t.Errorf("%s: %v", name, l.refusals()[name])
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !errors.Is(l.refusals()["deadline"], context.DeadlineExceeded) || l.refusals()["answer"] != nil {
			t.Error(l.refusals())
		}
		if got := l.drain(); got != "first answer" {
			t.Error(got)
		}
	})
}

// TestSet: places that are new are given to those who wait, and places that are taken away are not given
// again. To leave twice releases one place.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1)
		for i := range 6 {
			l.ask(t.Context(), fmt.Sprint("a", i), partner("a"), admission.Request)
		}
		l.Set(3, time.Second)
		synctest.Wait()
		if got := l.Usage(); got != (admission.Usage{Places: 3, Taken: 3, Waiting: 3}) {
			t.Error(got)
		}
		l.Set(1, time.Second)
		for range 3 {
			l.end("a0")
		}
		if got := l.Usage(); got != (admission.Usage{Places: 1, Taken: 2, Waiting: 3}) {
			t.Error(got)
		}
		l.drain()
		if got := slices.Sorted(slices.Values(l.places())); strings.Join(got, " ") != "a0 a1 a2 a3 a4 a5" {
			t.Error(got)
		}
	})
}

// FuzzGate: whatever comes, in any order, no more places are taken than there are, nobody waits while one
// is free, and at the end none is lost.
func FuzzGate(f *testing.F) {
	f.Add([]byte{0, 4, 8, 1, 2, 12, 16, 3, 1, 1, 1})
	f.Add([]byte(strings.Repeat("\x00\x04\x09\x12\x03\x02", 20)))
	f.Fuzz(func(t *testing.T, steps []byte) {
		synctest.Test(t, func(t *testing.T) {
			l, places := newLine(2), 2
			var cancels []context.CancelFunc
			gone := map[string]bool{} // who has left
			check := func(when string) {
				holding := len(l.places()) - len(gone)
				u := l.Usage()
				if u.Taken != holding || u.Waiting != len(cancels)-len(l.places())-len(l.refusals()) {
					t.Fatalf("%s: %+v, and %d were admitted, %d refused, %d left, of %d", when, u, len(l.places()),
						len(l.refusals()), len(gone), len(cancels))
				}
				if u.Waiting > 0 && u.Taken < u.Places {
					t.Fatalf("%s: somebody waits, and a place is free: %+v", when, u)
				}
			}
			end := func(name string) {
				gone[name] = true
				l.end(name)
			}
			for i, step := range steps[:min(len(steps), 200)] {
				before, rest := l.Usage().Taken, int(step)>>2
				switch step & 3 {
				case 0, 1:
					ctx, cancel := context.WithCancel(t.Context())
					cancels = append(cancels, cancel)
					who := admission.Party{Partner: fmt.Sprint(rest & 3), Source: fmt.Sprint(rest >> 2 & 1)}
					l.ask(ctx, fmt.Sprint(i), who, admission.Order(rest>>3%3))
					if now := l.Usage().Taken; now > max(before, places) {
						t.Fatalf("%d places are taken, of %d", now, places)
					}
				case 2:
					if len(cancels) > 0 {
						cancels[rest%len(cancels)]()
					}
					if len(l.places()) > 0 && rest&1 == 0 {
						end(l.places()[rest%len(l.places())]) // it may have left already
					}
				case 3:
					if places = rest%4 + 1; rest&4 != 0 {
						time.Sleep(400 * time.Millisecond)
					}
					l.Set(places, time.Second)
				}
				synctest.Wait()
				check(fmt.Sprint("step ", i))
			}
			for _, cancel := range cancels {
				cancel()
			}
			synctest.Wait()
			for _, name := range l.places() {
				end(name)
			}
			if u := l.Usage(); u != (admission.Usage{Places: places}) {
				t.Fatalf("at the end: %+v", u)
			}
		})
	})
}
