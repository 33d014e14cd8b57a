package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// childVariable makes the test binary do one piece of work and nothing else: words with a
// line feed between them. Before each statement it writes the statement in a line, and
// waits for a byte.
const childVariable = "SEALANE_STORE_TEST_CHILD"

func child(work string) int {
	in := bufio.NewReader(os.Stdin)
	o := store.Options{Trace: func(statement string) {
		fmt.Printf("%q\n", statement)
		if _, err := in.ReadByte(); err != nil {
			os.Exit(3)
		}
	}}
	if err := childWork(strings.Split(work, "\n"), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func childWork(words []string, o store.Options) error {
	switch words[0] {
	case "open":
		s, err := store.Open(background, words[1], o)
		if err != nil {
			return err
		}
		return s.Close()
	case "open newer":
		s, err := store.Open(background, words[1], o.WithMigration(next))
		if err != nil {
			return err
		}
		return s.Close()
	case "restore":
		_, err := store.Restore(background, words[1], words[2], o)
		return err
	case "change":
		s, err := store.Open(background, words[1], o)
		if err != nil {
			return err
		}
		return all(s.Update(background, everyChange), s.Close())
	}
	return errors.New("no such work: " + words[0])
}

// everyChange changes something in each table.
func everyChange(tx registry.Tx) error {
	p, err := tx.Partner("acme")
	if err != nil {
		return err
	}
	p.Name = "changed"
	e, k, pair := environment("acme", "STAG"), apiKey("new", "acme", "STAG"), keyPair("new", "acme", "STAG")
	c, who := certificate("new", registry.Theirs, "acme", "STAG"), person("new")
	old, err := tx.Certificate("old")
	if err != nil {
		return err
	}
	old.State, old.Provenance.Change = registry.Retired, "CHG2"
	o := registry.Offer{KeyPair: "new", Partner: "acme", At: noon}
	return all(tx.PutPartner(&p), tx.PutEnvironment(&e), tx.PutAPIKey(&k),
		store.UsedAPIKeys(tx, map[string]time.Time{"new": noon}),
		tx.PutKeyPair(&pair), tx.PutOffer(&o), tx.PutCertificate(&c), tx.PutCertificate(&old),
		tx.PutBlocked(registry.Blocked{SPKISHA256: sum("b")}),
		tx.PutPerson(&who), tx.PutSetting("s", []byte("new")), tx.AppendAudit(record(2)), tx.AppendAudit(record(3)))
}

// beforeChange is what everyChange needs.
func beforeChange(tx registry.Tx) error {
	c := certificate("old", registry.Theirs, "acme", "PROD")
	return all(agreement(tx, "acme", "PROD"), tx.PutCertificate(&c), tx.PutSetting("s", []byte("old")),
		tx.PutSetting("nothing", nil), tx.AppendAudit(record(1)))
}

// killAt lets a child work until its k-th statement, and kills it there. It returns that
// statement, and whether the child finished before.
func killAt(t *testing.T, k int, work ...string) (statement string, done bool) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childVariable+"="+strings.Join(work, "\n"))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	for n := 1; ; n++ {
		statement, err = said.ReadString('\n')
		if errors.Is(err, io.EOF) {
			if err := c.Wait(); err != nil {
				t.Fatalf("the child: %v", err)
			}
			return "", true
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == k {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if c.Wait() == nil {
				t.Fatal("the child ended by itself")
			}
			return strings.TrimSpace(statement), false
		}
		if _, err := in.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
	}
}

// content is the checksum of everything in a database.
func content(t *testing.T, address string) string {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatalf("after the crash: %v", err)
	}
	path := filepath.Join(t.TempDir(), "backup")
	err = s.Backup(t.Context(), path)
	if err := all(err, s.Close()); err != nil {
		t.Fatalf("after the crash: %v", err)
	}
	found, err := store.CheckBackup(t.Context(), path)
	if err := all(err, os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	return found.SHA256
}

// crashes kills a child at each of its statements, one after the other. After that the
// state must be the earlier one until a transaction is committed; a migration of several
// versions has one for each. A database with the old state is used again, so that what a
// crash leaves is encountered.
func crashes(t *testing.T, fresh func() string, state func(address string) string,
	work func(address string) []string) {
	t.Helper()
	complete := fresh()
	old := state(complete)
	if _, done := killAt(t, -1, work(complete)...); !done {
		t.Fatal("the child was killed")
	}
	changed := state(complete)
	if old == changed {
		t.Fatal("the work changes nothing")
	}
	seen := map[string]int{}
	address, now := fresh(), old
	k := 1
	for ; ; k++ {
		statement, done := killAt(t, k, work(address)...)
		if done {
			break
		}
		found := state(address)
		seen[found]++
		if statement == `"COMMITTED"` || statement == `"MIGRATED"` {
			now = found
		}
		if found != now {
			t.Fatalf("killed at %s: neither the state before nor that after", statement)
		}
		if found != old {
			address = fresh()
		}
	}
	t.Logf("killed at %d statements: the old state %d times, the new one %d times, %d states in all",
		k-1, seen[old], seen[changed], len(seen))
	if seen[old] < 5 || seen[changed] == 0 || now != changed {
		t.Errorf("the old state was seen %d times, the new one %d times, and was not the last",
			seen[old], seen[changed])
	}
}

func TestCrashOfAChange(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			fresh := func() string {
				address := d.address(t)
				update(t, open(t, address), beforeChange)
				return address
			}
			crashes(t, fresh, func(address string) string { return content(t, address) },
				func(address string) []string { return []string{"change", address} })
		})
	}
}

func TestCrashOfARestore(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			source := open(t, databases[0].address(t))
			update(t, source, beforeChange)
			path := filepath.Join(t.TempDir(), "backup")
			if err := source.Backup(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			fresh := func() string {
				address := d.address(t)
				open(t, address)
				return address
			}
			crashes(t, fresh, func(address string) string { return content(t, address) },
				func(address string) []string { return []string{"restore", address, path} })
		})
	}
}

func TestCrashOfAMigration(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			state := func(address string) string { return tablesOf(t, address) }
			crashes(t, func() string { return d.address(t) }, state,
				func(address string) []string { return []string{"open", address} })
			crashes(t, func() string { return d.address(t) }, state, // two versions, one after the other
				func(address string) []string { return []string{"open newer", address} })
		})
	}
}

// tablesOf returns the names of the registry's tables and their columns.
func tablesOf(t *testing.T, address string) string {
	t.Helper()
	written := `SELECT t.name || '.' || c.name AS name FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY name`
	if strings.HasPrefix(address, "postgres") {
		written = `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
			WHERE table_schema = 'public' ORDER BY name`
	}
	db := raw(t, address)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), written)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}
