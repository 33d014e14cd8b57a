package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// report writes down what a demo does, step by step, as it happens.
type report struct {
	w      io.Writer
	color  bool
	steps  int
	failed int
}

const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
)

func (r *report) paint(code, text string) string {
	if !r.color {
		return text
	}
	return code + text + "\x1b[0m"
}

func (r *report) part(title string) {
	fmt.Fprintf(r.w, "\n%s\n", r.paint(bold, title))
}

// notes are the lines under a step.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// step runs one step and writes its line: a mark, what it was, how long it took.
// It reports whether the step did what it should.
func (r *report) step(name string, work func(*notes) error) bool {
	var n notes
	start := time.Now()
	err := work(&n)
	took := time.Since(start)
	r.steps++
	mark := r.paint(green, "ok  ")
	if err != nil {
		r.failed++
		mark = r.paint(red, "FAIL")
		n.add("%v", err)
	}
	fmt.Fprintf(r.w, "%s %2d  %-62s %7.1f ms\n", mark, r.steps, name, float64(took.Microseconds())/1000)
	for _, line := range n {
		fmt.Fprintf(r.w, "         %s\n", r.paint(faint, line))
	}
	return err == nil
}

// expect runs a step that must fail with a certain error.
func (r *report) expect(name string, want error, work func(*notes) error) bool {
	return r.step(name, func(n *notes) error {
		err := work(n)
		if err == nil {
			return fmt.Errorf("it went through; %q was due", want)
		}
		if !errors.Is(err, want) {
			return fmt.Errorf("%q was due, this came: %w", want, err)
		}
		n.add("%v", err)
		return nil
	})
}

// wire is a transport that remembers the last exchange that passed it, and can
// spoil the request's body on purpose.
type wire struct {
	base  http.RoundTripper
	spoil func(body []byte) []byte

	mu   sync.Mutex
	last wireFacts
}

// wireFacts are what went over the wire.
type wireFacts struct {
	method, path      string
	trigger           string
	sent, received    int
	status            int
	request, answer   string // how the bodies begin
	requestIs, answIs string
}

const shown = 76 // characters of a body in the report

func (t *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := drain(r.Body)
	if err != nil {
		return nil, err
	}
	if t.spoil != nil {
		body = t.spoil(body)
	}
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength, sent.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	facts := wireFacts{method: r.Method, path: r.URL.Path, trigger: r.Header.Get("X-Payload-Encrypted"), sent: len(body), request: begin(body), requestIs: kind(body)}
	answer, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	received, err := drain(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(received))
	facts.status, facts.received, facts.answer, facts.answIs = answer.StatusCode, len(received), begin(received), kind(received)
	t.mu.Lock()
	t.last = facts
	t.mu.Unlock()
	return answer, nil
}

// note writes the last exchange under a step.
func (t *wire) note(n *notes) {
	t.mu.Lock()
	f := t.last
	t.mu.Unlock()
	n.add("→ %s %s, %s bytes, %s: %s", f.method, f.path, group(f.sent), f.requestIs, f.request)
	n.add("← %d, %s bytes, %s: %s", f.status, group(f.received), f.answIs, f.answer)
}

func drain(b io.ReadCloser) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	return io.ReadAll(io.LimitReader(b, 2*maxInput))
}

// kind says whether a body is a sealed one, as it looks on the wire.
func kind(body []byte) string {
	for _, mark := range []string{`"encrypted_request":"ey`, `"encrypted_response":"ey`} {
		if bytes.Contains(body[:min(len(body), 300)], []byte(mark)) {
			return "sealed"
		}
	}
	if bytes.HasPrefix(body, []byte("ey")) && bytes.Count(body, []byte(".")) == 4 {
		return "sealed"
	}
	return "plain"
}

func begin(body []byte) string {
	text := strings.Join(strings.Fields(string(body[:min(len(body), shown)])), " ")
	if len(body) > shown {
		text += "…"
	}
	return text
}

// group writes a number with separators.
func group(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
