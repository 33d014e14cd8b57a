package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// language is a language of the programs in foreign/, with the file that foreign/prepare.sh
// leaves when they are ready to run.
type language struct {
	folder, ready string
	command       func(program string) []string // run in the folder
}

var (
	node = language{"node", "node_modules/.package-lock.json",
		func(p string) []string { return []string{"node", p + ".mjs"} }}
	java = language{"java", "target/prepared", func(p string) []string {
		return []string{"java", "-cp", "target/classes:target/lib/*", p}
	}}
	python = language{"python", ".venv/prepared", func(p string) []string {
		return []string{".venv/bin/python", p + ".py"}
	}}
)

// foreign returns the command that runs one of our programs in another language, or skips
// the test if foreign/prepare.sh has not been run. The command ends with ctx, and its
// folder is the language's.
func foreign(ctx context.Context, t testing.TB, in language, program string, args ...string) *exec.Cmd {
	t.Helper()
	folder := filepath.Join("foreign", in.folder)
	if _, err := os.Stat(filepath.Join(folder, in.ready)); err != nil {
		t.Skipf("%s is not prepared: run interop/foreign/prepare.sh", in.folder)
	}
	words := append(in.command(program), args...)
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Dir = folder
	c.WaitDelay = 5 * time.Second
	return c
}
