// Package pgtest starts a real PostgreSQL server for tests: one for each test binary, on a
// socket in a folder of its own. The server stops with the process that started it, however
// that ends.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names a running server to use instead: a postgres:// URL of a role that
// may create databases.
const Variable = "SEALANE_TEST_POSTGRES"

// URL returns a new, empty database, which is dropped when the test is done. It skips the
// test if PostgreSQL is not installed.
func URL(t testing.TB) string {
	t.Helper()
	base, err := server()
	if errors.Is(err, errAbsent) {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := "sealane_" + strings.ToLower(rand.Text())
	run(t, base, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, base, "DROP DATABASE "+name+" WITH (FORCE)") })
	made := base
	made.Path = "/" + name
	return made.String()
}

func run(t testing.TB, base url.URL, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, base.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server, if one was started, and removes its files. Call it at the
// end of TestMain, so that nothing is left when the tests are done.
func Stop() {
	if stop != nil {
		stop()
	}
}

var stop func()

var errAbsent = errors.New("PostgreSQL is not installed")

var server = sync.OnceValues(func() (url.URL, error) {
	if given := os.Getenv(Variable); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			return url.URL{}, fmt.Errorf("%s is no URL", Variable)
		}
		return *u, nil
	}
	return start()
})

// programs finds the folder with initdb and postgres: that of the newest version in
// Debian's place, or the one in PATH.
func programs() (string, error) {
	best, newest := "", -1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, f := range found {
		folder := filepath.Dir(f)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(folder))); err == nil && n > newest {
			best, newest = folder, n
		}
	}
	if best != "" {
		return best, nil
	}
	f, err := exec.LookPath("initdb")
	if err != nil {
		return "", errAbsent
	}
	f, err = filepath.EvalSymlinks(f)
	return filepath.Dir(f), err
}

// script makes the cluster, runs the server, and stops it when its input ends: when the
// process at the other end calls Stop or is gone. Texts are in the order of a language, as
// on most servers, and not in that of bytes.
const script = `
cd "$1" || exit 1
make() { "$2/initdb" -D "$1/data" -U sealane -A trust -E UTF8 --no-sync "$3" "$4" "$5"; }
make "$1" "$2" --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >&2 ||
	{ rm -rf "$1/data"; make "$1" "$2" --locale=C --no-instructions --no-sync >&2; } || exit 1
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c shared_buffers=256MB \
	-c max_connections=60 >&2 &
server=$!
echo started
cat >/dev/null
kill -INT $server
wait $server
cd / && rm -rf "$1"
`

func start() (url.URL, error) {
	bin, err := programs()
	if err != nil {
		return url.URL{}, err
	}
	folder, err := os.MkdirTemp("", "sealane-pg-")
	if err != nil {
		return url.URL{}, err
	}
	command, err := asOther(folder)
	if err != nil {
		return url.URL{}, err
	}
	command = append(command, "sh", "-c", script, "sh", folder, bin)
	c := exec.Command(command[0], command[1:]...)
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return url.URL{}, err
	}
	defer log.Close()
	c.Stderr = log
	in, err := c.StdinPipe()
	if err != nil {
		return url.URL{}, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return url.URL{}, err
	}
	if err := c.Start(); err != nil {
		return url.URL{}, err
	}
	stop = sync.OnceFunc(func() {
		in.Close()
		io.Copy(io.Discard, out)
		c.Wait()
		os.RemoveAll(folder)
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		said, _ := os.ReadFile(log.Name())
		stop()
		return url.URL{}, fmt.Errorf("initdb failed: %s", said)
	}
	query := url.Values{"host": {folder}}.Encode()
	address := url.URL{Scheme: "postgres", User: url.User("sealane"), Path: "/postgres", RawQuery: query}
	if err := answers(address); err != nil {
		said, _ := os.ReadFile(log.Name())
		stop()
		return url.URL{}, fmt.Errorf("%w; the server's log: %s", err, said)
	}
	return address, nil
}

// asOther returns the words before a command that run it as another user, because the
// server does not run as root. The folder then belongs to that user.
func asOther(folder string) ([]string, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(folder, uid, gid); err != nil {
			return nil, err
		}
		if _, err := exec.LookPath("runuser"); err == nil {
			return []string{"runuser", "-u", name, "--"}, nil
		}
		return []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups", "--"}, nil
	}
	return nil, errors.New("the tests run as root, and there is neither a user postgres nor nobody to run the server")
}

// answers waits until the server accepts connections.
func answers(address url.URL) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		conn, err := pgx.Connect(ctx, address.String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}
