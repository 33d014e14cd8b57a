//go:build linux

package command

import (
	"bufio"
	"debug/elf"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// goBuild builds a package or file into a new program, with settings such as CGO_ENABLED=0.
func goBuild(t *testing.T, target string, flags []string, settings ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	c := exec.Command("go", slices.Concat([]string{"build", "-o", program}, flags, []string{target})...)
	c.Env = append(os.Environ(), settings...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %s %s: %v\n%s", target, settings, err, out)
	}
	return program
}

// demands returns what an ELF program needs before it can start: a program interpreter (PT_INTERP)
// and shared libraries (DT_NEEDED). A static program needs nothing.
func demands(t *testing.T, program string) []string {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			list = append(list, "a program interpreter")
		}
	}
	return list
}

// TestStatic builds the program without cgo. Its ELF headers must say that it is static; root also
// runs it in a root directory that holds nothing else. The name of the subtest says which it was.
func TestStatic(t *testing.T) {
	program := goBuild(t, "../cmd/sealane", nil, "CGO_ENABLED=0")
	t.Run("headers", func(t *testing.T) {
		if list := demands(t, program); len(list) != 0 {
			t.Errorf("the program needs %v", list)
		}
	})
	if os.Getuid() == 0 {
		root := newEmptyRoot(t, program)
		t.Run("chroot: exchange", root.exchange)
		t.Run("chroot: server", root.server)
	} else {
		t.Run("headers only: not root, so no chroot", func(*testing.T) {})
	}
}

// emptyRoot runs a program in a root directory that holds no other file.
type emptyRoot struct{ folder string }

func newEmptyRoot(t *testing.T, program string) emptyRoot {
	r := emptyRoot{t.TempDir()}
	data, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.folder, "sealane"), data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r emptyRoot) command(t *testing.T, arguments string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), "/sealane", strings.Fields(arguments)...)
	c.Dir, c.Env = "/", []string{"TZ=Asia/Kolkata", "TMPDIR=/"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: r.folder}
	return c
}

// run returns the standard output. The exit code and a part of the whole output must be as wanted.
func (r emptyRoot) run(t *testing.T, arguments, input string, code int, want ...string) []byte {
	t.Helper()
	var stdout, stderr strings.Builder
	c := r.command(t, arguments)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &stdout, &stderr
	if err := c.Run(); c.ProcessState == nil || c.ProcessState.ExitCode() != code {
		t.Fatalf("sealane %s: %v\n%s%s", arguments, err, &stdout, &stderr)
	}
	for _, text := range want {
		if !strings.Contains(stdout.String()+stderr.String(), text) {
			t.Errorf("sealane %s: no %q in\n%s%s", arguments, text, &stdout, &stderr)
		}
	}
	return []byte(stdout.String())
}

// exchange makes keys, seals and opens.
func (r emptyRoot) exchange(t *testing.T) {
	const payload = `{"n": 9007199254740993}`
	r.run(t, "version", "", 0, "static build", "RSA by Go", "-tags sealane_dlopen")
	r.run(t, "version --rsa openssl", "", 0, "static build", "RSA by no engine (", "OpenSSL is not compiled in",
		"build with cgo", "or choose go")
	r.run(t, "demo --once --rsa openssl", "", 1, "OpenSSL is not compiled in")
	r.run(t, "cert create --profile riskos --common-name us --env DEV --out us", "", 0)
	r.run(t, "cert create --profile riskos --common-name them --env DEV --out them", "", 0)
	token := r.run(t, "seal --profile riskos --key us/private/us-dev.key --to them/1-send/them-dev.pem -", payload, 0)
	r.run(t, "open --profile riskos --key them/private/them-dev.key --from us/1-send/us-dev.pem -",
		string(token), 0, payload)
	r.run(t, "demo --once", "", 0, "RSA by Go", " 0 failed")
}

// server reads the log of a server: its first line says what performs RSA, and times are local.
func (r emptyRoot) server(t *testing.T) {
	c := r.command(t, "sandbox riskos --dir /stand-in --listen 127.0.0.1:0")
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	output, log := bufio.NewScanner(stdout), bufio.NewScanner(stderr)
	address := ""
	for !strings.HasPrefix(output.Text(), "API key") && output.Scan() {
		if _, after, found := strings.Cut(output.Text(), " on http://"); found {
			address = after
		}
	}
	key, err := os.ReadFile(filepath.Join(r.folder, "stand-in", "api-key"))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST",
		"http://"+address+"/api/evaluation", strings.NewReader("not a token"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	request.Header.Set("X-Payload-Encrypted", "true")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for _, want := range []string{"RSA by Go crypto/rsa, static build", "+05:30"} {
		if !log.Scan() || !strings.Contains(log.Text(), want) {
			t.Errorf("no %q in the log's line %q", want, log.Text())
		}
	}
}

// TestLinking: a program that uses the packages is static without cgo, whatever it imports of them.
// With cgo, and with the tag, it can load OpenSSL.
func TestLinking(t *testing.T) {
	source := func(imported, statement string) string {
		name := filepath.Join(t.TempDir(), "main.go")
		text := "package main; import \"github.com/sealane/sealane/" + imported + "\"; func main() {" + statement + "}"
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	engine := source("rsaengine", `e, err := rsaengine.Select(""); println(e.String(), err != nil)`)
	for name, c := range map[string]struct {
		file    string
		flags   []string
		setting string
		static  bool
	}{
		"kms, no cgo":               {source("kms", "_ = kms.Open"), nil, "CGO_ENABLED=0", true},
		"rsaengine, no cgo":         {engine, nil, "CGO_ENABLED=0", true},
		"rsaengine, no cgo and tag": {engine, []string{"-tags", "sealane_dlopen"}, "CGO_ENABLED=0", false},
		"rsaengine, cgo":            {engine, nil, "CGO_ENABLED=1", false},
	} {
		t.Run(name, func(t *testing.T) {
			program := goBuild(t, c.file, c.flags, c.setting)
			if list := demands(t, program); (len(list) == 0) != c.static {
				t.Errorf("the program needs %v", list)
			}
			out, err := exec.Command(program).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(string(out), "not compiled in") != (c.static && c.file == engine) {
				t.Errorf("RSA is by %s", out)
			}
		})
	}
}
