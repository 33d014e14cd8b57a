//go:build unix

package command

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const readme = "../README.md"

var session = regexp.MustCompile("(?s)<!-- session: (server|client) -->\n```console\n(.*?)```")

// TestReadme runs the sessions of the README in a shell, and compares what they print. Those of
// the server run in the background. An ellipsis stands for any text in a line, or for any lines.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	folder, address := t.TempDir(), freePort(t)
	for _, s := range session.FindAllSubmatch(text, -1) {
		body := strings.ReplaceAll(string(s[2]), "127.0.0.1:8480", address)
		if string(s[1]) == "server" {
			command, want, _ := strings.Cut(strings.TrimPrefix(body, "$ "), "\n")
			serveSession(t, folder, address, command+" --listen "+address, want)
			continue
		}
		c := exec.CommandContext(t.Context(), "sh")
		c.Dir, c.Stdin = folder, strings.NewReader(typed(body))
		got, err := c.CombinedOutput() // the last command may be one that fails, as its output says
		if want := printed(body); !want.Match(got) {
			t.Fatalf("%v\n%s\nprinted\n%s", err, body, got)
		}
	}
}

// serveSession runs a command until the test ends, and compares what it prints until it listens.
func serveSession(t *testing.T, folder, address, command, want string) {
	out, err := os.Create(filepath.Join(folder, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "exec "+command)
	c.Dir, c.Stdout, c.Stderr = folder, out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
		out.Close()
	})
	pattern := printed(want)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			if pattern.Match(got) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%s\nprinted\n%s", command, got)
		}
	}
}

// typed returns the lines of a session that a user types: they have a prompt. A line of output
// may begin with the second prompt too, so that prompt counts only where a command goes on.
func typed(body string) string {
	commands, _ := split(body)
	return strings.Join(commands, "\n") + "\n"
}

// printed returns a pattern for the other lines.
func printed(body string) *regexp.Regexp {
	_, lines := split(body)
	pattern := regexp.QuoteMeta(strings.Join(lines, "\n") + "\n")
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, "(?:.*\n)*?")
	return regexp.MustCompile("^" + strings.ReplaceAll(pattern, "…", ".*") + "$")
}

func split(body string) (commands, output []string) {
	goesOn := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		command, first := strings.CutPrefix(line, "$ ")
		rest, second := strings.CutPrefix(line, "> ")
		switch {
		case first:
			line = command
		case goesOn && second:
			line = rest
		default:
			output = append(output, line)
			continue
		}
		commands = append(commands, line)
		inText := strings.Count(strings.Join(commands, "\n"), "END")%2 == 1
		goesOn = inText || strings.HasSuffix(line, `\`)
	}
	return commands, output
}
