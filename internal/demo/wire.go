package demo

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/sealane/sealane/internal/termtext"
)

// wire is a transport that remembers the last request and its answer. It can replace
// a request's body.
type wire struct {
	base    http.RoundTripper
	replace []byte // nil: bodies are not replaced

	mu   sync.Mutex
	last wireFacts
}

// wireFacts are a request and its answer, as they were sent.
type wireFacts struct {
	method, path    string
	status          int
	request, answer []byte
}

const (
	maxBody = 64 << 20
	shown   = 76 // characters of a body in the report
)

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := drain(r.Body)
	if err != nil {
		return nil, err
	}
	if w.replace != nil {
		body = w.replace
	}
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength, sent.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	answer, err := w.base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	received, err := drain(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(received))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = wireFacts{method: r.Method, path: r.URL.Path, status: answer.StatusCode, request: body, answer: received}
	return answer, nil
}

// note writes the last request and its answer under a step.
func (w *wire) note(n *notes) {
	w.mu.Lock()
	f := w.last
	w.mu.Unlock()
	n.add("→ %s %s, %s", f.method, f.path, describe(f.request))
	n.add("← %d, %s", f.status, describe(f.answer))
}

func describe(body []byte) string {
	start := strings.Join(strings.Fields(string(body[:min(len(body), shown)])), " ")
	if len(body) > shown {
		start += "…"
	}
	return fmt.Sprintf("%s bytes, %s: %s", termtext.Count(len(body)), kind(body), start)
}

func drain(b io.ReadCloser) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	return io.ReadAll(io.LimitReader(b, 2*maxBody))
}

// kind tells whether a body is sealed.
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
