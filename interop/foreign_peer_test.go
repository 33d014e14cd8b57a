package interop

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// foreignPeer is a peer in another language: one process for each run of the test binary,
// started by the first Ready and stopped by TestMain.
//
// A job is a line of JSON (question), followed by as many bytes as it says: a payload to
// seal, or a token to open. The answer has the same form: a line (answer), then a token or
// a payload. Jobs are answered in order. The program exits when its input ends.
type foreignPeer struct {
	name    string
	in      language
	program string

	mu      sync.Mutex
	process *process
}

var foreignPeers = []*foreignPeer{
	{name: "nimbus", in: java, program: "Peer"},
	{name: "panva", in: node, program: "peer"},
	{name: "jwcrypto", in: python, program: "peer"},
}

// question is the head of a job. Keys are PEM: PKCS #8 and SubjectPublicKeyInfo.
type question struct {
	Op            string         `json:"op"` // "seal" or "open"
	Signed        bool           `json:"signed"`
	KeyEncryption string         `json:"keyEncryption"`
	Signature     string         `json:"signature"`
	Content       string         `json:"content"`
	Outer         map[string]any `json:"outer"` // header members other than alg and enc
	Inner         map[string]any `json:"inner"`
	Private       string         `json:"private"`
	Public        string         `json:"public"`
	Length        int            `json:"length"`
}

// answer is the head of an answer. Error is the library's error; then there is nothing
// else.
type answer struct {
	OuterKid string `json:"outerKid"`
	InnerKid string `json:"innerKid"`
	Error    string `json:"error"`
	Length   int    `json:"length"`
}

const (
	maxAnswerHead = 64 << 10
	maxAnswerBody = 64 << 20
	maxComplaint  = 8 << 10

	// How long a program may take: the largest job takes a second or two, but the machine
	// may be busy.
	toAnswer = time.Minute
	toEnd    = 10 * time.Second
)

// TestMain stops the processes that tests have started.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range foreignPeers {
		if err := f.end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func (f *foreignPeer) Name() string { return f.name }

func (f *foreignPeer) Ready(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process != nil {
		return
	}
	ctx, kill := context.WithCancelCause(context.Background())
	var err error
	f.process, err = start(ctx, kill, f.name, foreign(ctx, t, f.in, f.program))
	if err != nil {
		t.Fatal(err)
	}
}

func (f *foreignPeer) Seal(j job) ([]byte, error) {
	token, _, err := f.do("seal", j)
	return token, err
}

func (f *foreignPeer) Open(j job) (opened, error) {
	payload, a, err := f.do("open", j)
	if err != nil {
		return opened{}, err
	}
	return opened{Payload: payload, OuterKid: a.OuterKid, InnerKid: a.InnerKid}, nil
}

func (f *foreignPeer) do(op string, j job) ([]byte, answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process == nil {
		return nil, answer{}, fmt.Errorf("%s does not run: call Ready first", f.name)
	}
	j = j.complete()
	q := question{
		Op: op, Signed: j.Signed, KeyEncryption: j.KeyEncryption, Signature: j.Signature, Content: j.Content,
		Outer: headerAndKid(j.Outer), Inner: headerAndKid(j.Inner), Length: len(j.Input),
	}
	var err error
	if q.Private, q.Public, err = keysPEM(j.Private, j.Public); err != nil {
		return nil, answer{}, err
	}
	body, a, err := f.process.ask(q, j.Input, toAnswer)
	if err == nil && a.Error != "" {
		err = fmt.Errorf("%s: %s", f.name, a.Error)
	}
	if err != nil {
		return nil, answer{}, err
	}
	return body, a, nil
}

// end closes the process's input, and fails unless it exits soon and without an error.
func (f *foreignPeer) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process == nil {
		return nil
	}
	return f.process.end(toEnd)
}

func headerAndKid(m members) map[string]any {
	values := headerValues(m)
	if m.Kid != "" {
		values["kid"] = m.Kid
	}
	return values
}

func keysPEM(private *rsa.PrivateKey, public *rsa.PublicKey) (pkcs8, spki string, err error) {
	a, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: a})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b})), nil
}

// process is a running program. The first error is the answer to all later questions.
type process struct {
	name   string
	ctx    context.Context // kills the program
	kill   context.CancelCauseFunc
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	said   *complaint // on standard error; read after Wait
	broken error
}

// start runs the command, which must have been made with ctx.
func start(ctx context.Context, kill context.CancelCauseFunc, name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, ctx: ctx, kill: kill, cmd: cmd, said: new(complaint)}
	cmd.Stderr = p.said
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.in, p.out = in, bufio.NewReaderSize(out, maxAnswerHead)
	return p, nil
}

// ask returns the answer, or an error if the program is broken. A program that does not
// answer in time is killed.
func (p *process) ask(q question, input []byte, patience time.Duration) ([]byte, answer, error) {
	if p.broken != nil {
		return nil, answer{}, p.broken
	}
	hung := fmt.Errorf("no answer within %v to: %s %d bytes", patience, q.Op, len(input))
	defer time.AfterFunc(patience, func() { p.kill(hung) }).Stop()
	body, a, err := p.exchange(q, input)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) {
			// It is exiting by itself: its exit status says more.
			defer time.AfterFunc(time.Second, func() { p.kill(err) }).Stop()
		} else {
			p.kill(err)
		}
		waited := p.cmd.Wait()
		p.kill(err) // unless it was killed before, which is the reason then
		p.broken = fmt.Errorf("%s broke: %w (it ended by: %v)%s", p.name, context.Cause(p.ctx), waited, p.said)
		return nil, answer{}, p.broken
	}
	return body, a, nil
}

func (p *process) exchange(q question, input []byte) ([]byte, answer, error) {
	var a answer
	head, err := json.Marshal(q)
	if err != nil {
		return nil, a, err
	}
	if _, err := p.in.Write(append(head, '\n')); err != nil {
		return nil, a, fmt.Errorf("write the job: %w", err)
	}
	if _, err := p.in.Write(input); err != nil {
		return nil, a, fmt.Errorf("write the job: %w", err)
	}
	line, err := p.out.ReadSlice('\n')
	if err != nil {
		return nil, a, fmt.Errorf("read the answer: %w", err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, a, fmt.Errorf("read the answer's head: %w", err)
	}
	if a.Length < 0 || a.Length > maxAnswerBody {
		return nil, a, fmt.Errorf("an answer of %d bytes", a.Length)
	}
	if a.Error != "" && a.Length != 0 {
		return nil, a, fmt.Errorf("an error and an answer of %d bytes", a.Length)
	}
	body := make([]byte, a.Length)
	if _, err := io.ReadFull(p.out, body); err != nil {
		return nil, a, fmt.Errorf("read the answer's %d bytes: %w", a.Length, err)
	}
	return body, a, nil
}

func (p *process) end(patience time.Duration) error {
	if p.broken != nil {
		return nil // waited for, and told
	}
	late := fmt.Errorf("%s did not end within %v of the end of its input", p.name, patience)
	defer time.AfterFunc(patience, func() { p.kill(late) }).Stop()
	p.in.Close() // Wait reports a program that does not react
	rest, err := io.Copy(io.Discard, p.out)
	err = errors.Join(p.cmd.Wait(), err)
	if cause := context.Cause(p.ctx); cause != nil {
		err = cause
	}
	p.kill(nil)
	p.broken = fmt.Errorf("%s has ended", p.name)
	if rest > 0 {
		err = errors.Join(err, fmt.Errorf("%s said %d bytes that no job asked for", p.name, rest))
	}
	if err != nil {
		return fmt.Errorf("end %s: %w%s", p.name, err, p.said)
	}
	return nil
}

// complaint keeps the first part of a program's standard error.
type complaint struct{ text strings.Builder }

func (c *complaint) Write(data []byte) (int, error) {
	c.text.Write(data[:min(len(data), maxComplaint-c.text.Len())])
	return len(data), nil
}

// String returns the end of an error message.
func (c *complaint) String() string {
	if c.text.Len() == 0 {
		return "; it said nothing on standard error"
	}
	return "; on standard error:\n" + strings.TrimSpace(c.text.String())
}

// TestBrokenPeer: a program that hangs, dies or writes nonsense is an error, with its
// standard error, and is waited for.
func TestBrokenPeer(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is missing: install a POSIX shell")
	}
	for _, c := range []struct {
		name, script string
		patience     time.Duration
		want         []string // parts of the error
	}{
		{"hangs", "echo waiting >&2; exec sleep 3600", 500 * time.Millisecond,
			[]string{"no answer within 500ms to: open 3 bytes", "killed"}},
		{"hangs within an answer", `echo '{"length":9}'; exec sleep 3600`, 500 * time.Millisecond,
			[]string{"no answer within 500ms"}},
		{"dies", "echo out of luck >&2; exit 3", time.Minute, []string{"out of luck", "exit status 3"}},
		{"talks nonsense", "echo hello; exec sleep 3600", time.Minute, []string{"read the answer's head"}},
		{"says too much", `echo '{"length":99999999999}'; exec sleep 3600`, time.Minute,
			[]string{"an answer of 99999999999 bytes"}},
		{"an error with a payload", `echo '{"error":"no","length":3}'; exec sleep 3600`, time.Minute,
			[]string{"an error and an answer of 3 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := shell(t, c.script)
			body, _, err := p.ask(question{Op: "open"}, []byte("abc"), c.patience)
			for _, part := range c.want {
				if err == nil || body != nil || !strings.Contains(err.Error(), part) {
					t.Fatalf("%q, %v; want an error that says %q", body, err, part)
				}
			}
			if _, _, again := p.ask(question{Op: "open"}, nil, c.patience); again != err {
				t.Errorf("asked again: %v", again)
			}
			if p.cmd.ProcessState == nil {
				t.Error("not waited for")
			}
		})
	}
}

// TestPeerEnds: the end of the input stops a program, and a bad exit status is reported.
func TestPeerEnds(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is missing: install a POSIX shell")
	}
	for _, c := range []struct {
		name, script string
		patience     time.Duration
		want         string // part of the error; empty: none
	}{
		{"well", "cat >&2", time.Minute, ""},
		{"badly", "cat >&2; echo broken >&2; exit 4", time.Minute, "broken"},
		{"never", "exec sleep 3600", 500 * time.Millisecond, "did not end within 500ms"},
		{"with more to say", "cat >&2; echo one more thing", time.Minute, "that no job asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := shell(t, c.script)
			err := p.end(c.patience)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if p.cmd.ProcessState == nil {
				t.Error("not waited for")
			}
		})
	}
}

func shell(t *testing.T, script string) *process {
	t.Helper()
	ctx, kill := context.WithCancelCause(context.Background())
	p, err := start(ctx, kill, "sh", exec.CommandContext(ctx, "sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
