package demo

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/sealane/sealane/internal/termtext"
)

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
	n.add("→ %s %s, %s bytes, %s: %s", f.method, f.path, termtext.Count(f.sent), f.requestIs, f.request)
	n.add("← %d, %s bytes, %s: %s", f.status, termtext.Count(f.received), f.answIs, f.answer)
}

func drain(b io.ReadCloser) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	return io.ReadAll(io.LimitReader(b, 2*maxBody))
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
