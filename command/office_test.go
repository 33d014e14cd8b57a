package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// office is a company's folder with a registry, as its people use it by the command line.
type office struct {
	t              *testing.T
	dir            string
	anna, approver string // tokens
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, dir: t.TempDir()}
	o.run("init", "anna")
	o.anna = o.token(o.run("person", "token", "anna"))
	o.approver = o.token(o.run("person", "add", "ben", "--role", "approver"))
	return o
}

func (o *office) token(output string) string {
	o.t.Helper()
	found := regexp.MustCompile(`sealane_person_\S+`).FindString(output)
	if found == "" {
		o.t.Fatalf("no token in %s", output)
	}
	return found
}

// run runs sealane in the company, and returns its output.
func (o *office) run(args ...string) string {
	o.t.Helper()
	o.t.Setenv("XDG_CONFIG_HOME", filepath.Join(o.dir, "config"))
	o.t.Setenv("SEALANE_DB", "sqlite:"+filepath.Join(o.dir, "registry.db"))
	o.t.Setenv("SEALANE_ROOT_KEY", "file:"+filepath.Join(o.dir, "root.key"))
	o.t.Setenv("SEALANE_TOKEN", o.anna)
	var out, said bytes.Buffer
	if code := run(o.t.Context(), args, strings.NewReader(""), &out, &said); code != 0 {
		o.t.Fatalf("sealane %s: exit code %d\n%s%s", strings.Join(args, " "), code, out.String(), said.String())
	}
	return out.String()
}

// approve is run by the second person.
func (o *office) approve(args ...string) {
	o.t.Helper()
	anna := o.anna
	o.anna = o.approver
	defer func() { o.anna = anna }()
	o.run(args...)
}

var anIdentity = regexp.MustCompile(`\b[ck]-[a-z2-7]{10}\b`)

// offer makes a key pair for a partner, and returns its certificate's file.
func (o *office) offer(partner, env string, more ...string) (pair, file string) {
	o.t.Helper()
	out := filepath.Join(o.dir, "to-"+partner)
	text := o.run(append([]string{"offer", partner, env, "--out", out, "--bits", "2048"}, more...)...)
	files, err := filepath.Glob(filepath.Join(out, "1-send", "*.cer"))
	if err != nil || len(files) != 1 {
		o.t.Fatal(files, err)
	}
	return anIdentity.FindString(text), files[0]
}

// accept receives a certificate, and makes it active. An empty key ID is none.
func (o *office) accept(partner, env, file, keyID string) {
	o.t.Helper()
	id := anIdentity.FindString(o.run("receive", partner, env, file))
	data, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	o.run("checksum", id, fmt.Sprintf("%x", sha256.Sum256(data)))
	o.approve("approve", id)
	if keyID != "" {
		o.run("alias", id, keyID)
	}
	o.run("activate", id)
}

// serving is a gateway that runs until the test ends.
type serving struct {
	addresses map[string]string
	stop      func() int
	log       *lockedBuffer
}

type lockedBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{} // is closed by the next line; nil: nobody waits
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote != nil {
		close(l.wrote)
		l.wrote = nil
	}
	return l.b.Write(p)
}

// wait waits for a text.
func (l *lockedBuffer) wait(t *testing.T, text string) {
	t.Helper()
	for tooLate := time.After(time.Minute); ; {
		l.mu.Lock()
		log := l.b.String()
		if l.wrote == nil {
			l.wrote = make(chan struct{})
		}
		wrote := l.wrote
		l.mu.Unlock()
		if strings.Contains(log, text) {
			return
		}
		select {
		case <-wrote:
		case <-tooLate:
			t.Fatalf("no %q in %s", text, log)
		}
	}
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve runs sealane serve with a configuration in the company's folder.
func (o *office) serve(config string, routes int) *serving {
	o.t.Helper()
	file := filepath.Join(o.dir, "sealane.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		o.t.Fatal(err)
	}
	if said := o.run("serve", "-c", file, "--check"); !strings.Contains(said, "nothing is wrong") {
		o.t.Fatal(said)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{addresses: map[string]string{}, log: &lockedBuffer{}}
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"serve", "-c", file}, strings.NewReader(""), in, s.log)
		in.Close()
		ended <- code
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-ended })
	o.t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			o.t.Errorf("exit code %d: %s", code, s.log)
		}
	})
	lines := bufio.NewScanner(out)
	for range routes {
		if !lines.Scan() {
			o.t.Fatalf("the gateway did not start: %s", s.log)
		}
		name, address, _ := strings.Cut(lines.Text(), " listens on ")
		s.addresses[name] = address
	}
	go io.Copy(io.Discard, out)
	return s
}

func postJSON(t *testing.T, url, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

// documented returns a file of docs/gateway with the company's registry, and other values in the place of those that
// a test can't use.
func (o *office) documented(name string, replacements ...string) string {
	o.t.Helper()
	data, err := os.ReadFile(filepath.Join("../docs/gateway", name))
	if err != nil {
		o.t.Fatal(err)
	}
	text := string(data)
	replacements = append(
		replacements,
		`"postgres://sealane@db/sealane"`,
		"registry.db",
		"credential:root",
		`"file:root.key"`,
	)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			o.t.Fatalf("%s has no %s", name, replacements[i])
		}
		text = strings.ReplaceAll(text, replacements[i], replacements[i+1])
	}
	return text
}
