package command

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// TestLongList: a list of 25,000 checksums is read, with the names that tools add. Then the reason
// is missing.
func TestLongList(t *testing.T) { blockLongList(t, 25_000) }

// BenchmarkLongList reads lists of 250,000 checksums.
func BenchmarkLongList(b *testing.B) {
	for b.Loop() {
		blockLongList(b, 250_000)
	}
}

func blockLongList(t testing.TB, lines int) {
	t.Chdir(t.TempDir())
	f, err := os.Create("list")
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for n := range lines {
		fmt.Fprintf(w, "%064x  keys/of/another/product/%d.pem\n", n, n)
	}
	if err := w.Flush(); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	sealane, errors := founded(t)
	code := sealane("key", "block", "--list", "list")
	if code != exitRefused || !strings.Contains(errors.String(), "--reason") {
		t.Errorf("exit code %d: %s", code, errors.String())
	}
}

// TestInputThatNeverComes: the first signal ends a command that waits for its input.
func TestInputThatNeverComes(t *testing.T) {
	t.Chdir(t.TempDir())
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan struct{})
	var out, errors strings.Builder
	done := make(chan int)
	go func() { done <- run(ctx, []string{"inspect", "-"}, signalling{silent, asked}, &out, &errors) }()
	<-asked
	stop()
	code := <-done
	if code != exitFailed || !strings.Contains(errors.String(), "standard input: ended while it was read") {
		t.Errorf("exit code %d: %s", code, errors.String())
	}
}

// signalling closes asked when it is first read.
type signalling struct {
	io.Reader
	asked chan struct{}
}

func (s signalling) Read(p []byte) (int, error) {
	close(s.asked) // panics if it is read again
	return s.Reader.Read(p)
}

// TestDatabaseFails: a failure of the database is no refusal.
func TestDatabaseFails(t *testing.T) {
	t.Chdir(t.TempDir())
	sealane, errors := founded(t)
	db, err := sql.Open("sqlite", "sealane.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"environment", "partner", "blocked"} {
		if _, err := db.Exec("ALTER TABLE " + table + " RENAME TO gone_" + table); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"partner", "list"},
		{"partner", "add", "acme", "--name", "Acme", "--profile", "riskos", "--side", "server"},
		{"partner", "env", "acme", "PROD", "--sealing", "required"},
		{"key", "block", strings.Repeat("ab", 32), "--reason", "seen in a repository"},
	} {
		if code := sealane(args...); code != exitFailed || !strings.Contains(errors.String(), "no such table") {
			t.Errorf("%v: exit code %d: %s", args, code, errors.String())
		}
	}
}

// founded makes a registry in the current folder, and returns the command line of its
// operator.
func founded(t testing.TB) (func(args ...string) int, *strings.Builder) {
	t.Helper()
	out, errors := new(strings.Builder), new(strings.Builder)
	sealane := func(args ...string) int {
		out.Reset()
		errors.Reset()
		return run(t.Context(), args, strings.NewReader(""), out, errors)
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if code := sealane("init", "anna"); code != 0 {
		t.Fatal(errors.String())
	}
	return sealane, errors
}
