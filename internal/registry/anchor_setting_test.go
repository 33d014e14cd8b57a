package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// The registry's anchors get the heads of every program, whatever it names itself. They are
// set by an administrator, for a reason, and recorded by their names.
func TestAnchorsOfTheRegistry(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		ctx, r, dir := t.Context(), s.Registry(), t.TempDir()
		first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
		olga, _ := person(t, s, "olga", registry.Operator)
		set := func(s *registry.Session, addresses ...string) error {
			return s.WithReason("CHG-1").SetAnchors(ctx, addresses)
		}
		if err := set(olga, "file:"+first); !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("by the operator: %v", err)
		}
		refused(t, "say why", s.SetAnchors(ctx, []string{"file:" + first}))
		refused(t, "named twice", set(s, "file:"+first, "file:"+first))
		refused(t, "too many", set(s, slices.Repeat([]string{"file:" + first}, 9)...))
		refused(t, "anchor begins with", set(s, "tape:1"))
		refused(t, "no such file", set(s, "file:"+filepath.Join(dir, "no", "file")))

		t.Setenv("SECRET", "a secret of the webhook")
		hook := "http://localhost:9/secret-path?token=hunter2#secret=env:SECRET"
		must(t, set(s, hook))
		must(t, set(s, "file:"+first))
		record := last(t, s)
		for _, text := range []string{string(record.Before), string(record.After)} {
			if strings.Contains(text, "secret-path") || strings.Contains(text, "hunter2") {
				t.Errorf("the record has a secret: %s", text)
			}
		}
		if !strings.Contains(string(record.Before), "http://localhost:9") ||
			!strings.Contains(string(record.After), "file:"+first) {
			t.Errorf("the record is %s, %s", record.Before, record.After)
		}
		if got, err := r.Anchors(ctx); err != nil || !slices.Equal(got, []string{"file:" + first}) {
			t.Errorf("%q, %v", got, err)
		}

		var failures []error
		open := func(others ...string) *audit.Anchorer {
			a, unusable, err := r.OpenAnchors(ctx, others)
			must(t, err)
			failures = append(failures, unusable...)
			must(t, r.AnchorWith(ctx, a, func(err error) { failures = append(failures, err) }))
			return a
		}
		a := open("file:"+second, "file:"+first)
		recorded(t, s)
		_, inFirst := lastHead(t, first)
		_, inSecond := lastHead(t, second)
		if len(a.Anchors) != 2 || inFirst != 1 || inSecond != 1 || failures != nil {
			t.Errorf("%d anchors, %d and %d heads, %v", len(a.Anchors), inFirst, inSecond, failures)
		}

		// A program that can't use it says so, and goes on.
		must(t, os.Chmod(first, 0o666))
		a = open()
		if len(a.Anchors) != 0 || len(failures) != 1 ||
			!strings.Contains(failures[0].Error(), "where the registry wants it") ||
			!strings.Contains(failures[0].Error(), first) {
			t.Errorf("%v, %v", a, failures)
		}
		recorded(t, s)
		must(t, os.Chmod(first, 0o600))
		open()
		recorded(t, s)
		heads, _, err := audit.ReadAnchors(first)
		must(t, err)
		must(t, s.View(ctx, func(tx registry.Reader) error {
			report, err := audit.Verify(ctx, tx, heads)
			if n := len(report.Unanchored); !report.Holds || n != 2 ||
				report.Unanchored[1].From != report.Unanchored[1].To {
				t.Errorf("%s", report)
			}
			return err
		}))
		must(t, set(s))
		if got, err := r.Anchors(ctx); err != nil || len(got) != 0 {
			t.Errorf("%q, %v", got, err)
		}
		if a, unusable, err := r.OpenAnchors(ctx, nil); a != nil || unusable != nil || err != nil {
			t.Errorf("without any: %v, %v, %v", a, unusable, err)
		}
	})
}
