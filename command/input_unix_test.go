//go:build unix

package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipeWithoutAnEnd: the first signal ends a command that waits for the writer of a
// named pipe, or for its data.
func TestPipeWithoutAnEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errors strings.Builder
	ended, stop := context.WithCancel(t.Context())
	stop()
	code := run(ended, []string{"cert", "show", path}, strings.NewReader(""), &out, &errors)
	if code != exitFailed || !strings.Contains(errors.String(), path+": ended while it was read") {
		t.Errorf("no writer: exit code %d: %s", code, errors.String())
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	errors.Reset()
	go func() { done <- run(ctx, []string{"cert", "show", path}, strings.NewReader(""), &out, &errors) }()
	writer, err := os.OpenFile(path, os.O_WRONLY, 0) // returns when somebody reads
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	stop()
	if code = <-done; code != exitFailed || !strings.Contains(errors.String(), "ended while it was read") {
		t.Errorf("a silent writer: exit code %d: %s", code, errors.String())
	}
}
