package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/lanes"
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
		if err := os.WriteFile(old, asVersion(t, 1, read(t, now)), 0o600); err != nil {
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

// A backup of version 4, which has no columns to search by, is restored with all that this program
// would have put into them: the restored registry is the same.
func TestNamesOfVersion4(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, folder := open(t, databases[0].address(t)), t.TempDir()
		const pages = 1001 // and a row; a page has 500
		update(t, s, func(tx registry.Tx) error {
			for i := range pages {
				id := fmt.Sprintf("p%04d", i)
				k, c := apiKey("k-"+id, id, "PROD"), certificate("c-"+id, registry.Theirs, id, "PROD")
				k.HMAC, k.Binding = nil, nil
				k.Label, c.CommonName, c.Serial = "Batch "+id, "Ĳssel "+id, fmt.Sprintf("%x", 4096+i)
				of, env := partner(id), environment(id, "PROD")
				env.Limits = lanes.Limits{} // there were none
				err := all(tx.PutPartner(&of), tx.PutEnvironment(&env), tx.PutAPIKey(&k), tx.PutCertificate(&c))
				if err != nil {
					return err
				}
			}
			return nil
		})
		now, old, again := filepath.Join(folder, "now"), filepath.Join(folder, "old"), filepath.Join(folder, "again")
		if err := s.Backup(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(old, asVersion(t, 4, read(t, now)), 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := store.Restore(t.Context(), address, old, store.Options{}); err != nil || sum.Version != 4 {
			t.Fatal(sum, err)
		}
		restored := open(t, address)
		view(t, restored, func(tx registry.Reader) error {
			found, err := tx.Certificates(registry.CertificateQuery{Containing: "ijSSEL P0999"})
			if got := ids(found, func(c registry.Certificate) string { return c.ID }); got != "c-p0999" {
				t.Errorf("found by a part of its name: %q", got)
			}
			return err
		})
		if err := restored.Backup(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, again), read(t, now)) {
			t.Error("the restored registry has other columns than the one of the backup")
		}
	})
}

// newIn are the columns, and the tables, that versions after 1 have added.
var newIn = map[string]int{
	"file_sha256:bytes?": 2, "added": 2, "request": 3, "url": 4,
	"archived": 5, "names": 5, "serial_number": 5, "sha1:bytes?": 5, "hmac:bytes?": 6, "binding:bytes?": 6,
	"limits": 7, "key_use": 8, "listed": 9, "listed_bits": 9, "listed_common_name": 9, "listed_issuer": 9,
	"listed_not_before": 9, "listed_received_by": 9, "listed_waivers": 9, "expired": 10, "no_resend": 10,
	"renewal": 11, "installed": 11, "said": 11, "rotation": 11, "contacts": 12, "lead": 12, "noted": 12, "alarmed": 12,
	"ends": 12, "came": 12, "mismatched": 12, "waived": 12, "due": 12,
}

// asVersion returns a backup as a program of that version would have written it. Tables that it
// did not know must be empty.
func asVersion(t *testing.T, version int, backup []byte) []byte {
	t.Helper()
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
				if newIn[columns[i]] <= version {
					old = append(old, value)
				}
			}
			write(old)
			rows++
		case json.Unmarshal(line, &of) != nil:
			t.Fatal("a line that is none")
		case of["table"] != nil && newIn[of["table"].(string)] > version:
			columns = nil
		case of["table"] != nil:
			columns = nil
			old := []string{}
			for _, c := range of["columns"].([]any) {
				columns = append(columns, c.(string))
				if newIn[c.(string)] <= version {
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
			}{of["backup"], version})
		}
	}
	write(struct {
		Rows   int    `json:"rows"`
		SHA256 string `json:"sha256"`
	}{rows, fmt.Sprintf("%x", sha256.Sum256(out.Bytes()))})
	return out.Bytes()
}
