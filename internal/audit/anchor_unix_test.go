//go:build unix

package audit_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

var localText = regexp.MustCompile(`^<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sealane\[\d+\]: \{"seq":1,.*\}\n?$`)

// socket returns a short path, because that of a socket is limited to about 100 bytes.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "log")
}

func TestLocalSyslog(t *testing.T) {
	m := write(t, 1)
	path := socket(t)
	server, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	put(t, open(t, "syslog:"+path), m.headAt(1))
	if text := receive(t, server); !localText.MatchString(text) {
		t.Errorf("%q", text)
	}

	path = socket(t)
	stream, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	put(t, open(t, "syslog:"+path), m.headAt(1))
	conn, err := stream.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !localText.MatchString(text) {
		t.Errorf("%q, %v", text, err)
	}

	if err := open(t, "syslog:"+socket(t)).Put(t.Context(), m.headAt(1)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestStuckSyslog: a log daemon that reads nothing delays nobody for longer than the
// context allows.
func TestStuckSyslog(t *testing.T) {
	m := write(t, 1)
	path := socket(t)
	server, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a := open(t, "syslog:"+path)
	for range 100_000 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := a.Put(ctx, m.headAt(1))
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("nothing reads, and nothing is stuck")
}

func TestFilesThatAreNoAnchors(t *testing.T) {
	m := write(t, 1)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.OpenAnchor("file:" + pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	path := filepath.Join(dir, "heads")
	a := open(t, "file:"+path)
	put(t, a, m.headAt(1))
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{a.Put(t.Context(), m.headAt(1)),
		func() error { _, err := audit.OpenAnchor("file:" + path); return err }()} {
		if err == nil || !strings.Contains(err.Error(), "others may write it") {
			t.Error(err)
		}
	}
	if heads, _ := read(t, path); len(heads) != 1 {
		t.Errorf("%d heads", len(heads))
	}
	if err := a.Put(t.Context(), audit.Head{Seq: 1}); err == nil {
		t.Error("a head without a hash is kept")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Put(ended, m.headAt(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
