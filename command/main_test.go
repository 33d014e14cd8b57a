package command

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sealane": func() {
		if ahead, err := time.ParseDuration(os.Getenv("AHEAD")); err == nil { // of a script
			clock = func() time.Time { return time.Now().Add(ahead).UTC() }
		}
		Main()
	}})
}

// TestScripts runs the command line as a user does, one file for each subject.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DECRYPTION_ERROR", testlane.ErrorBody(t, "riskos", sealane.ErrDecryption))
			for name, path := range map[string]string{"LEDGER": "profiles/ledger.yaml", "REPORTS": "reports"} {
				absolute, err := filepath.Abs(filepath.Join("../testdata", path))
				if err != nil {
					return err
				}
				e.Setenv(name, absolute)
			}
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "mode": mode, "waitfor": waitFor, "capture": captureFrom("stdout"),
			"capture-stderr": captureFrom("stderr"),
			"foreach":        forEach, "write": write, "meddle": meddle, "replace": replace,
			"at": at,
		},
		Condition: func(name string) (bool, error) {
			if tool, ok := strings.CutPrefix(name, "tool:"); ok {
				_, err := exec.LookPath(tool)
				return err == nil, nil
			}
			return false, fmt.Errorf("condition %q is not known", name)
		},
	})
}

// exits runs sealane and asks for an exit code: exits 3 sealane …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG ...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if e, ok := err.(*exec.ExitError); ok {
		code = fmt.Sprint(e.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// mode asks for a file's rights: mode 600 FILE
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] && runtime.GOOS != "windows" {
		ts.Fatalf("%s has mode %s, not %s", args[1], got, args[0])
	}
}

// captureFrom returns a command that puts what a regular expression's group finds in the last
// command's output into a variable: capture NAME REGEXP
func captureFrom(stream string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) != 2 || neg {
			ts.Fatalf("usage: capture NAME REGEXP")
		}
		found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(stream))
		if len(found) != 2 {
			ts.Fatalf("no %s in %s", args[1], ts.ReadFile(stream))
		}
		ts.Setenv(args[0], found[1])
	}
}

// at puts a time from now into a variable: at NAME +3h
func at(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: at NAME DURATION")
	}
	ahead, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], time.Now().Add(ahead).UTC().Format(time.RFC3339))
}

// forEach runs a command for each file, whose content stands for TEXT in it, and its name for
// FILE: foreach FOLDER/PATTERN COMMAND [ARG ...]
func forEach(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: foreach FOLDER/PATTERN COMMAND [ARG ...]")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	if ts.Check(err); len(files) == 0 {
		ts.Fatalf("there is no %s", args[0])
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		ts.Check(err)
		command := slices.Clone(args[1:])
		for i, arg := range command {
			command[i] = strings.NewReplacer("FILE", file, "TEXT", string(data)).Replace(arg)
		}
		if err := ts.Exec(command[0], command[1:]...); err != nil {
			ts.Fatalf("%s: %v", file, err)
		}
	}
}

// meddle changes an SQLite database without the program: meddle FILE STATEMENT
func meddle(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: meddle FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// write writes a text into a file: write FILE TEXT
func write(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]+"\n"), 0o600))
}

// replace replaces a text in a file, which must be there: replace FILE OLD NEW
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	changed := strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(changed), 0o600))
}

// waitFor waits until a server that was started in the background answers:
// waitfor HOST:PORT
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: waitfor HOST:PORT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for ticker := time.NewTicker(20 * time.Millisecond); ; <-ticker.C {
		r, err := http.NewRequestWithContext(ctx, "GET", "http://"+args[0]+"/", nil)
		ts.Check(err)
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return
		}
		if ctx.Err() != nil {
			ts.Fatalf("%s does not answer: %v", args[0], err)
		}
	}
}

// TestDemoFolder: the demo writes into no folder that has files.
func TestDemoFolder(t *testing.T) {
	var out, errors strings.Builder
	code := run(t.Context(), []string{"demo", "--once", "--dir", "testdata"}, strings.NewReader(""), &out, &errors)
	if code != exitFailed || !strings.Contains(errors.String(), "not empty") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errors.String())
	}
}

// freePort returns an address that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startSandbox runs a stand-in until the test ends, and returns its address.
func startSandbox(t *testing.T, args ...string) string {
	t.Helper()
	address := freePort(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan int)
	go func() {
		args := slices.Concat([]string{"sandbox"}, args, []string{"--listen", address})
		done <- run(ctx, args, strings.NewReader(""), io.Discard, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 {
			t.Errorf("the stand-in ended with %d", code)
		}
	})
	for ticker, end := time.NewTicker(20*time.Millisecond), time.After(30*time.Second); ; {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		select {
		case <-ticker.C:
		case <-end:
			t.Fatal("the stand-in does not listen")
		}
	}
}

// TestSandboxRiskOS drives the stand-in by the command line alone.
func TestSandboxRiskOS(t *testing.T) {
	dir := t.TempDir()
	address := startSandbox(t, "riskos", "--dir", dir)
	key := filepath.Join(dir, "customer", "private", "customer-sandbox-example-sandbox.key")
	cert := filepath.Join(dir, "provider", "1-send", "provider-sandbox-example-sandbox.pem")
	body := `{"id":"r-1","timestamp":"2026-11-21T12:00:00Z","workflow":"w",` +
		`"data":{"individual":{"given_name":"A","family_name":"Accept"}}}`
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"sealed", nil, 0, `"decision":"ACCEPT"`},
		{"plain", []string{"--plain"}, 0, `"decision":"ACCEPT"`},
		{"refused", []string{"-H", "X-Sandbox-Fault: decryption"}, exitPartner,
			testlane.ErrorText(t, "riskos", sealane.ErrDecryption)},
		{"processed", []string{"-H", "X-Sandbox-Fault: sealing-failed"}, exitProcessed, "not send it again blindly"},
		{"unsealed", []string{"-H", "X-Sandbox-Fault: unsealed"}, exitProcessed, "is not sealed"},
		{"other signer", []string{"-H", "X-Sandbox-Fault: other-signer"}, exitProcessed, "sign.wrong"},
		{"by code", []string{"-H", "X-Sandbox-Fault: jws.header-crit"}, exitProcessed, "jws.header-crit"},
		{"cut", []string{"-H", "X-Sandbox-Fault: cut"}, exitProcessed, "unexpected EOF"},
		{"slow", []string{"-H", "X-Sandbox-Fault: slow=1m", "--timeout", "500ms"}, exitProcessed, "deadline"},
		{"no fault of that name", []string{"-H", "X-Sandbox-Fault: nonsense"}, exitPartner, "400"},
	} {
		var out, errors strings.Builder
		args := slices.Concat(
			[]string{"call", "--profile", "riskos", "--env", "SANDBOX", "--key", key, "--to", cert},
			[]string{"--api-key-file", filepath.Join(dir, "api-key")}, c.args,
			[]string{"POST", "http://" + address + "/api/evaluation", body})
		code := run(t.Context(), args, strings.NewReader(""), &out, &errors)
		if code != c.code || !strings.Contains(out.String()+errors.String(), c.says) {
			t.Errorf("%s: exit code %d\n%s%s", c.name, code, out.String(), errors.String())
		}
	}
}
