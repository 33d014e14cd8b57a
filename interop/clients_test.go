package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealanetest"
)

// The programs Client, client.mjs and client.py are written from the partners' published
// pages; from us they get only the texts of errors. They call our stand-ins, and our
// stand-ins call them, over HTTP.
var clients = []struct {
	name string
	in   language
	file string
}{{"java", java, "Client"}, {"node", node, "client"}, {"python", python, "client"}}

const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG"

// program is a running program: one of our stand-ins or a foreign one.
type program struct {
	cmd    *exec.Cmd
	input  io.Closer
	output chan string // its standard output, line by line
	errors bytes.Buffer
}

// limited limits the time of one program. It outlives the test's own context, which ends
// before programs are asked to stop.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// launch starts the program; the test stops it if it is still running.
func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd, output: make(chan string, 1000)}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.input, cmd.Stderr = in, &p.errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.output)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			if line != "" {
				p.output <- line
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			p.end(t, os.Interrupt)
		}
	})
	return p
}

// end asks the program to stop (by closing its input if signal is nil), waits, and returns
// the rest of its output and its exit code.
func (p *program) end(t *testing.T, signal os.Signal) ([]string, int) {
	t.Helper()
	p.input.Close()
	if signal != nil {
		if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	}
	var rest []string
	for line := range p.output {
		rest = append(rest, line)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", p.cmd.Path, err, p.errors.String())
	}
	return rest, p.cmd.ProcessState.ExitCode()
}

var urlInLine = regexp.MustCompile(`http://[0-9.:]+[a-z0-9/]*`)

// url waits for the line in which a server reports its address.
func (p *program) url(t *testing.T) string {
	t.Helper()
	for line := range p.output {
		if url := urlInLine.FindString(line); url != "" {
			return url
		}
	}
	p.cmd.Wait()
	t.Fatalf("%s ended before it listened:\n%s", p.cmd.Path, p.errors.String())
	return ""
}

// sealaneBinary builds the command line as a user gets it.
func sealaneBinary(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sealane")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/sealane")
	build.Dir = ".." // its dependencies are the main module's
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return func(args ...string) *exec.Cmd { return exec.CommandContext(limited(t), binary, args...) }
}

// serving runs a stand-in until the test ends; then it must exit without an error.
func serving(t *testing.T, cmd *exec.Cmd) (url string) {
	t.Helper()
	p := launch(t, cmd)
	url = p.url(t)
	t.Cleanup(func() {
		if _, code := p.end(t, os.Interrupt); code != 0 {
			t.Errorf("%v ended with %d:\n%s", cmd.Args[1:3], code, p.errors.String())
		}
	})
	return url
}

// outcome is one line of a foreign program.
type outcome struct {
	Step, Why, Error string
	OK, Complete     bool
	Status           int
	Answer, Message  map[string]any
}

func outcomes(t *testing.T, lines []string) []outcome {
	t.Helper()
	var all []outcome
	for _, line := range lines {
		var o outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, o)
	}
	return all
}

// play runs a foreign program to its end and compares its steps with the wanted names and
// statuses, each "name status".
func play(t *testing.T, cmd *exec.Cmd, want ...string) []outcome {
	t.Helper()
	p := launch(t, cmd)
	lines, code := p.end(t, nil)
	seen := outcomes(t, lines)
	var got []string
	for _, o := range seen {
		status := http.StatusText(o.Status)
		if o.Status == http.StatusMethodNotAllowed {
			status = "405"
		}
		got = append(got, o.Step+" "+status)
		if !o.OK {
			t.Errorf("%s: %s", o.Step, o.Why)
		}
	}
	if code != 0 || !slices.Equal(got, want) {
		t.Errorf("exit code %d, steps\n%s\nwant\n%s\n%s", code, strings.Join(got, "\n"), strings.Join(want, "\n"),
			p.errors.String())
	}
	return seen
}

// certificateOf has a foreign program make its key pair and certificate.
func certificateOf(t *testing.T, in language, file, kind string) (folder, certificate string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "made")
	if out, err := foreign(limited(t), t, in, file, "certificate", folder, kind).CombinedOutput(); err != nil {
		t.Fatalf("certificate: %v\n%s", err, out)
	}
	certificate = filepath.Join(folder, "certificate.pem")
	data, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	read, err := keyfile.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if v := cert.Check(read.Certificates[0], testlane.Profile(t, kind).Certificate, time.Now()); v.Refused() {
		t.Errorf("the certificate does not fit %s: %+v", kind, v)
	}
	return folder, certificate
}

// errorsFile writes the profile's table of errors to a file for a foreign program.
func errorsFile(t *testing.T) string {
	t.Helper()
	type row struct {
		Status int      `json:"status"`
		Texts  []string `json:"texts"`
	}
	table := map[profile.Outcome]row{}
	for _, r := range testlane.Profile(t, "riskos").Errors.Table {
		table[r.On] = row{r.Status, append([]string{r.Text}, r.Also...)}
	}
	data, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "errors.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// customerSteps are the steps that the published page promises to a customer, each with the
// status of the answer. The one "Created" is beyond the page, which only has 200: the
// stand-in answers a new evaluation that is paused with it.
var customerSteps = []string{
	"evaluation.post OK", "evaluation.version.post OK", "evaluation.paused Created", "evaluation.patch OK",
	"docv.post OK", "docv.patch OK", "evaluation.large OK", "plain OK",
	"error.body-format Bad Request", "error.body-not-json Bad Request", "error.not-jwe Bad Request",
	"error.jws-only Bad Request",
	"error.not-jws Bad Request", "error.wrong-key Bad Request", "error.altered Bad Request",
	"error.bad-signature Bad Request",
	"error.docv Bad Request", "error.sealing-failed Internal Server Error", "after-errors OK",
}

// TestForeignCustomers: a customer in another language calls our RiskOS, sealed and
// unencrypted, and receives each published error.
func TestForeignCustomers(t *testing.T) {
	t.Parallel()
	ours := sealaneBinary(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder, certificate := certificateOf(t, c.in, c.file, "riskos")
			dir := t.TempDir()
			url := serving(t,
				ours("sandbox", "riskos", "--dir", dir, "--customer-cert", certificate, "--listen", "127.0.0.1:0"))
			apiKey, err := os.ReadFile(filepath.Join(dir, "api-key"))
			if err != nil {
				t.Fatal(err)
			}
			provider := filepath.Join(dir, "provider", "1-send", "provider-sandbox-example-sandbox.pem")
			seen := play(t,
				foreign(limited(t), t, c.in, c.file, "customer", folder, url, provider,
					strings.TrimSpace(string(apiKey)), errorsFile(t)), customerSteps...)

			// The request arrived: the answer repeats its id and names.
			for step, id := range map[string]string{
				"evaluation.post":         "1",
				"evaluation.version.post": "2",
				"evaluation.patch":        "3",
				"docv.patch":              "4",
				"plain":                   "6",
				"after-errors":            "8",
			} {
				at := slices.IndexFunc(seen, func(o outcome) bool { return o.Step == step })
				if at < 0 || seen[at].Answer["id"] != c.name+"-"+id {
					t.Errorf("%s: the answer has another id", step)
				}
			}
			if text, err := json.Marshal(seen[0].Answer["data_enrichments"]); err != nil ||
				!strings.Contains(string(text), "Zoë") || !strings.Contains(string(text), "東京 😀") {
				t.Errorf("the names did not come back: %s (%v)", excerpt(text), err)
			}
		})
	}
}

// TestForeignNewcomers: a customer whose certificate was never exchanged. The stand-in is
// that of the command line, which cannot make this account.
func TestForeignNewcomers(t *testing.T) {
	t.Parallel()
	nobody, err := keyring.New()
	if err != nil {
		t.Fatal(err)
	}
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{Customer: nobody})
	_, certificate := sealanetest.ProviderKey().WriteFiles(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			folder, _ := certificateOf(t, c.in, c.file, "riskos")
			play(t,
				foreign(limited(t), t, c.in, c.file, "unexchanged", folder, p.URL, certificate, p.APIKey,
					errorsFile(t)), "error.no-exchange Bad Request")
		})
	}
}

// TestForeignIssuers: an issuer in another language opens what our VCAS sends,
// refuses every fault, and answers unencrypted.
func TestForeignIssuers(t *testing.T) {
	t.Parallel()
	ours := sealaneBinary(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder, certificate := certificateOf(t, c.in, c.file, "rdx")
			issuer := launch(t, foreign(limited(t), t, c.in, c.file, "issuer", folder, alias))
			call := []string{"sandbox", "vcas", "--url", issuer.url(t), "--to", certificate, "--to-key-id", alias,
				"--env", "STAG", "--otp", "123456"}
			if out, err := ours(call...).CombinedOutput(); err != nil || strings.Count(string(out), "HTTP 200") != 4 {
				t.Errorf("vcas: %v\n%s", err, out)
			}
			faults := []string{"wrong-key", "sha1-oaep", "cut-tag", "unknown-key-id", "unsealed"}
			for _, fault := range faults {
				out, err := ours(append(call, "--fault", fault)...).CombinedOutput()
				if err == nil || !strings.Contains(string(out), "HTTP 400") {
					t.Errorf("fault %s is not refused: %v\n%s", fault, err, out)
				}
			}
			lines, code := issuer.end(t, nil)
			seen := outcomes(t, lines)
			if len(seen) != 4+len(faults) || code != 1 {
				t.Fatalf("%d messages, exit code %d\n%s\n%s", len(seen), code, strings.Join(lines, ""),
					issuer.errors.String())
			}
			for i, o := range seen {
				if wanted := i < 4; o.OK != wanted {
					t.Errorf("message %d: taken %t, want %t: %s", i+1, o.OK, wanted, o.Why)
				}
			}
			// The page's sample is a stepup: it is the second message, and has everything
			// that the sample has.
			if !seen[1].Complete || seen[1].Message["TransactionId"] != seen[0].Message["TransactionId"] {
				t.Errorf("the stepup lacks members of the page's sample: %v", seen[1].Message)
			}
		})
	}
}

// TestForeignVCAS: a VCAS in another language sends to our example issuer.
func TestForeignVCAS(t *testing.T) {
	t.Parallel()
	ours := sealaneBinary(t)
	dir := filepath.Join(t.TempDir(), "rdx")
	if out, err := ours("cert", "create", "--profile", "rdx", "--common-name", "rdx.bank.example", "--org",
		"Example Bank", "--unit", "Payments",
		"--email", "keys@bank.example", "--env", "STAG", "--out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url := serving(t,
		ours("sandbox", "issuer", "--key", filepath.Join(dir, "private", "rdx-bank-example-stag.key"), "--key-id",
			alias,
			"--env", "STAG", "--caller", "unauthenticated", "--listen", "127.0.0.1:0"))
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			certificate, err := filepath.Abs(filepath.Join(dir, "1-send", "rdx-bank-example-stag.pem"))
			if err != nil {
				t.Fatal(err)
			}
			seen := play(t, foreign(limited(t), t, c.in, c.file, "vcas", url+"/stepup", certificate, alias),
				"vcas.send OK", "vcas.unknown-alias 405", "vcas.no-alias 405", "vcas.wrong-key 405", "vcas.sha1 405",
				"vcas.clear 405")
			if len(seen) > 0 && seen[0].Answer["Status"] != "SUCCESS" {
				t.Errorf("the issuer answers %v", seen[0].Answer)
			}
		})
	}
}
