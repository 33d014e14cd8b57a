package renewal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// The time is that of the registry everywhere: one place reads the clock, where nobody has set another.
func TestOneClock(t *testing.T) {
	var found []string
	for _, dir := range []string{".", "../exchange", "../registry"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				s, is := n.(*ast.SelectorExpr)
				if !is {
					return true
				}
				of, is := s.X.(*ast.Ident)
				clock := []string{
					"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "Tick", "Sleep", "NewTicker",
				}
				if is && of.Name == "time" && slices.Contains(clock, s.Sel.Name) {
					found = append(found, filepath.Base(path)+" time."+s.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	// A scheduler ticks by the computer's clock, and compares the registry's time at each tick.
	if want := []string{"registry.go time.Now", "scheduler.go time.NewTimer"}; !slices.Equal(found, want) {
		t.Errorf("the clock is read by %q, want %q", found, want)
	}
	if renewal.Tick > time.Minute {
		t.Errorf("a tick of %s: a computer that sleeps delays a longer one", renewal.Tick)
	}
}

// Where no node serves, nobody counts the uses of keys: no key is quiet by that.
func TestNobodyCounts(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	lane := lanes.Name{Partner: "acme", Environment: "DEV"}
	h.partner("acme", "riskos", sealane.ServerSide, "DEV",
		registry.Rotation{Slots: 2, Quiet: 2, Retire: registry.RetireDo})
	first := h.approved(lane, h.certificate(2048, 700))
	h.must(exchange.New(h.anna).Activate(t.Context(), first))
	second := h.approved(lane, h.certificate(2048, 720))
	h.must(exchange.New(h.anna).Activate(t.Context(), second))
	hours := func(n int, nodes bool) {
		for range n {
			h.now = h.now.Add(time.Hour)
			if nodes {
				h.node("one", h.head())
			}
			h.pass()
		}
	}
	hours(5*24, false)
	n := h.wantStep(second, registry.RenewalTold)
	h.must(only(renewal.New(h.anna).Sent(t.Context(), renewal.Name{ID: n.ID})))
	h.uses("one", second, "acme", lanes.In)
	hours(24, false)
	h.wantStep(second, registry.RenewalTold)
	hours(4*24, true)
	h.wantStep(second, registry.RenewalDone)
}
