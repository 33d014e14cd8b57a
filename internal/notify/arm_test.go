package notify_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
)

// TestArm (pitfall 48): sending is armed for one host, database, identity and sender, and by a file.
func TestArm(t *testing.T) {
	t.Parallel()
	const database, installation = "postgres://sealane:hunter2@db.example/sealane?password=hunter2", "i-1"
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	read := func(t *testing.T, file, from, to string) *notify.Config {
		t.Helper()
		write(t, file, strings.ReplaceAll(goodConfig, from, to))
		c, err := notify.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "notify.yaml")
	c := read(t, file, "", "")
	if err := c.Armed(database, installation); !errors.Is(err, notify.ErrNotArmed) ||
		!strings.Contains(err.Error(), "there is no file") {
		t.Errorf("before: %v", err)
	}
	if err := c.Arm(database, installation, now); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file + ".armed")
	if err != nil || strings.Contains(string(data), "hunter2") ||
		!strings.Contains(string(data), "2026-12-01T09:00:00Z") {
		t.Errorf("%v\n%s", err, data)
	}
	for name, url := range map[string]string{
		"armed": database, "with another password": strings.ReplaceAll(database, "hunter2", "other"),
	} {
		if err := read(t, file, "", "").Armed(url, installation); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, try := range map[string]struct{ file, from, to, database, installation, says string }{
		"another host":          {file, "host: one", "host: two", database, installation, `the host was "one"`},
		"another database":      {file, "", "", "postgres://copy.example/sealane", installation, "the database was"},
		"another file's":        {filepath.Join(dir, "copy.yaml"), "", "", database, installation, "there is no file"},
		"another identity":      {file, "", "", database, "i-2", "the identity of the database was"},
		"another sender":        {file, "notices@", "test@", database, installation, "the sender was"},
		"another for failures":  {file, "bounces@", "test@", database, installation, "the address for failures was"},
		"another file is named": {file, "host: one", "host: one\narmed: other", database, installation, "is no file"},
	} {
		err := read(t, try.file, try.from, try.to).Armed(try.database, try.installation)
		if !errors.Is(err, notify.ErrNotArmed) || !strings.Contains(err.Error(), try.says) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c = read(t, file, "", "")
	for name, spoil := range map[string]func() error{
		"others can change it": func() error { return os.Chmod(file+".armed", 0o666) },
		"it is not whole":      func() error { return os.WriteFile(file+".armed", []byte("host: [\n"), 0o600) },
		"it is empty":          func() error { return os.WriteFile(file+".armed", nil, 0o600) },
		"it is large":          func() error { return os.WriteFile(file+".armed", make([]byte, 1<<20), 0o600) },
	} {
		if err := c.Arm(database, installation, now); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := c.Armed(database, installation); !errors.Is(err, notify.ErrNotArmed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := new(notify.Config).Armed(database, installation); !errors.Is(err, notify.ErrNotArmed) {
		t.Error(err)
	}
	if err := (&notify.Config{ArmedFile: filepath.Join(dir, "x")}).Arm(database, installation, now); err == nil {
		t.Error("armed without a server")
	}
}
