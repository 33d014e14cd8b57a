package registry_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// anchored makes the registry write its heads to files. The errors are those of the anchorer so far.
func anchored(t *testing.T, s *registry.Session, paths ...string) (*audit.Anchorer, *[]error) {
	t.Helper()
	a, failures := &audit.Anchorer{}, &[]error{}
	for _, path := range paths {
		one, err := audit.OpenAnchor("file:" + path)
		must(t, err)
		a.Anchors = append(a.Anchors, one)
	}
	must(t, s.Registry().AnchorWith(t.Context(), a, func(err error) { *failures = append(*failures, err) }))
	return a, failures
}

// recorded makes a change, whose record has the next number.
func recorded(t *testing.T, s *registry.Session) {
	t.Helper()
	must(t, s.Change(t.Context(), registry.Entry{Action: "backup", Subject: "backup/x"},
		func(registry.Tx, *registry.Entry) error { return nil }))
}

// lastHead returns the number of the last head in a file and the count of heads.
func lastHead(t *testing.T, path string) (seq int64, n int) {
	t.Helper()
	heads, _, err := audit.ReadAnchors(path)
	must(t, err)
	if len(heads) == 0 {
		return 0, 0
	}
	return heads[len(heads)-1].Seq, len(heads)
}

func anchorSetting(t *testing.T, s *registry.Session,
	change func(all []audit.AnchorStatus) []byte) (all []audit.AnchorStatus) {
	t.Helper()
	must(t, s.Registry().Store.Update(t.Context(), func(tx registry.Tx) error {
		text, err := tx.Setting("anchor-status")
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err == nil && change != nil {
			err = tx.PutSetting("anchor-status", change(all))
		}
		return err
	}))
	return all
}

// Somebody who can write to the database can't stop the anchors unnoticed.
func TestAnchorStatusIsNotTrusted(t *testing.T) {
	s, path := openSession(t), filepath.Join(t.TempDir(), "heads")
	anchored(t, s, path)
	recorded(t, s)
	before, _ := lastHead(t, path)
	anchorSetting(t, s, func(all []audit.AnchorStatus) []byte {
		all[0].Last.Seq = 1 << 40
		text, err := json.Marshal(all)
		must(t, err)
		return text
	})
	_, failures := anchored(t, s, path) // another process
	recorded(t, s)
	if seq, _ := lastHead(t, path); seq != before+1 {
		t.Errorf("record %d is not anchored; the last is %d", before+1, seq)
	}
	if len(*failures) != 1 || !strings.Contains((*failures)[0].Error(), "the log was cut or restored") {
		t.Errorf("said: %v", *failures)
	}
	recorded(t, s)
	if seq, _ := lastHead(t, path); seq != before+2 || len(*failures) != 1 {
		t.Errorf("the next: %d, %v", seq, *failures)
	}

	anchorSetting(t, s, func(all []audit.AnchorStatus) []byte {
		all[0].Last.Hash[0] ^= 1
		text, err := json.Marshal(all)
		must(t, err)
		return text
	})
	_, failures = anchored(t, s, path)
	if len(*failures) != 1 || !strings.Contains((*failures)[0].Error(), "the chain was rewritten") {
		t.Errorf("a status with another hash: %v", *failures)
	}

	anchorSetting(t, s, func([]audit.AnchorStatus) []byte { return []byte("{") })
	_, failures = anchored(t, s, path)
	recorded(t, s)
	if seq, _ := lastHead(t, path); seq != before+3 || len(*failures) != 1 || !strings.Contains((*failures)[0].Error(),
		"damaged") {
		t.Errorf("a damaged status: %d, %v", seq, *failures)
	}
	if all := anchorSetting(t, s, nil); len(all) != 1 || all[0].Last.Seq != before+3 {
		t.Errorf("%+v", all)
	}
}

// What one program knows of its anchors is not lost to another's.
func TestAnchorsOfOtherPrograms(t *testing.T) {
	s, dir := openSession(t), t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	anchored(t, s, first)
	recorded(t, s)
	anchored(t, s, second)
	recorded(t, s)
	if all := anchorSetting(t, s, nil); len(all) != 2 || all[0].Last.Seq != all[1].Last.Seq+1 {
		t.Fatalf("%+v", all)
	}
	_, failures := anchored(t, s, first, second)
	recorded(t, s)
	_, ones := lastHead(t, first)
	_, others := lastHead(t, second)
	if ones != 2 || others != 2 || len(*failures) != 0 {
		t.Errorf("%d and %d heads, %v", ones, others, *failures)
	}
}

// Anchor writes the present head again, and returns what could not be done.
func TestAnchorAlways(t *testing.T) {
	s, dir := openSession(t), t.TempDir()
	path := filepath.Join(dir, "heads")
	a, _ := anchored(t, s, path)
	recorded(t, s)
	recorded(t, s)
	before, _ := lastHead(t, path)
	for n := 3; n <= 4; n++ {
		head, err := s.Registry().Anchor(t.Context(), a)
		must(t, err)
		if seq, count := lastHead(t, path); seq != before || head.Seq != seq || count != n {
			t.Errorf("%d heads, the last %d; %d is given", count, seq, head.Seq)
		}
	}
	must(t, os.RemoveAll(dir))
	if _, err := s.Registry().Anchor(t.Context(), a); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// An anchor that failed is remembered, so that the next program does not wait for it again.
func TestAnchorThatFailedIsRemembered(t *testing.T) {
	s, dir := openSession(t), t.TempDir()
	gone := filepath.Join(dir, "gone")
	must(t, os.Mkdir(gone, 0o700))
	_, failures := anchored(t, s, filepath.Join(gone, "heads"))
	must(t, os.Remove(gone))
	recorded(t, s)
	if len(*failures) != 1 || strings.Contains((*failures)[0].Error(), "was not tried") {
		t.Errorf("the first: %v", *failures)
	}
	must(t, os.Mkdir(gone, 0o700))
	a, failures := anchored(t, s, filepath.Join(gone, "heads")) // another program
	recorded(t, s)
	if len(*failures) != 1 || !strings.Contains((*failures)[0].Error(), "was not tried, because it failed") {
		t.Errorf("the next: %v", *failures)
	}
	_, err := s.Registry().Anchor(t.Context(), a)
	must(t, err)
	recorded(t, s)
	if _, n := lastHead(t, filepath.Join(gone, "heads")); n != 2 || len(*failures) != 1 {
		t.Errorf("%d heads, %v", n, *failures)
	}
}
