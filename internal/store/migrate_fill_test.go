package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// A backup of version 1, whose certificates have no checksum of their file, is restored with
// them, and their files are found.
func TestFileSumsOfVersion1(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, folder := open(t, databases[0].address(t)), t.TempDir()
		file := func(i int) []byte { return fmt.Append(nil, "file ", i) }
		update(t, s, func(tx registry.Tx) error {
			if err := agreement(tx, "acme", "PROD"); err != nil {
				return err
			}
			for i := range 250 {
				c := certificate(fmt.Sprintf("c%03d", i), registry.Theirs, "acme", "PROD")
				c.Provenance.File, c.Provenance.FileSHA256 = file(i), nil
				if err := tx.PutCertificate(&c); err != nil {
					return err
				}
			}
			return nil
		})
		now, old := filepath.Join(folder, "now"), filepath.Join(folder, "old")
		if err := s.Backup(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(old, asVersion1(t, read(t, now)), 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := store.Restore(t.Context(), address, old, store.Options{}); err != nil || sum.Version != 1 {
			t.Fatal(sum, err)
		}
		restored := open(t, address)
		for _, i := range []int{0, 99, 100, 249} {
			want := sha256.Sum256(file(i))
			view(t, restored, func(tx registry.Reader) error {
				found, err := tx.Certificates(registry.CertificateQuery{FileSHA256: want[:]})
				if len(found) != 1 || found[0].ID != fmt.Sprintf("c%03d", i) ||
					!bytes.Equal(found[0].Provenance.FileSHA256, want[:]) {
					t.Errorf("file %d: %d certificates", i, len(found))
				}
				return err
			})
		}
	})
}

// asVersion1 returns a backup as a program of version 1 would have written it.
func asVersion1(t *testing.T, backup []byte) []byte {
	t.Helper()
	newer := []string{"file_sha256:bytes?", "added", "url", "archived", "names", "serial_number", "sha1:bytes?"}
	var out bytes.Buffer
	var columns []string
	write := func(value any) {
		line, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	rows := 0
	for line := range bytes.Lines(backup) {
		var row []json.RawMessage
		var of map[string]any
		switch {
		case json.Unmarshal(line, &row) == nil:
			old := row[:0:0]
			for i, value := range row {
				if !slices.Contains(newer, columns[i]) {
					old = append(old, value)
				}
			}
			write(old)
			rows++
		case json.Unmarshal(line, &of) != nil:
			t.Fatal("a line that is none")
		case of["table"] == "request": // there was none, and it is empty
			columns = nil
		case of["table"] != nil:
			columns = nil
			old := []string{}
			for _, c := range of["columns"].([]any) {
				columns = append(columns, c.(string))
				if !slices.Contains(newer, c.(string)) {
					old = append(old, c.(string))
				}
			}
			write(struct {
				Table   any      `json:"table"`
				Columns []string `json:"columns"`
				Order   any      `json:"order"`
			}{of["table"], old, of["order"]})
		case of["version"] != nil:
			write(struct {
				Backup  any `json:"backup"`
				Version int `json:"version"`
			}{of["backup"], 1})
		}
	}
	write(struct {
		Rows   int    `json:"rows"`
		SHA256 string `json:"sha256"`
	}{rows, fmt.Sprintf("%x", sha256.Sum256(out.Bytes()))})
	return out.Bytes()
}
