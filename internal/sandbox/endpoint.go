package sandbox

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// Endpoint serves a stand-in's service on one lane: it opens requests, seals answers, and puts a
// fault into the answer to a request that asks for one with [FaultHeader].
type Endpoint struct {
	lane    *sealane.Lane
	signer  keyring.Private
	handler *sealhttp.Handler

	mu       sync.Mutex
	previous []byte // the last sealed answer, for the fault "swapped"
}

// NewEndpoint returns the endpoint of a lane of the server's side. signer is the lane's active key of ours; it
// signs the answers that are sealed with a fault. log may be nil.
func NewEndpoint(lane *sealane.Lane, signer keyring.Private, service http.Handler, log *slog.Logger) *Endpoint {
	return &Endpoint{lane: lane, signer: signer, handler: &sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: keepPayload(service),
		Log:  log,
	}}
}

// ServeHTTP serves as the request asks.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := r.Header.Get(FaultHeader); fault != "" {
		e.misbehave(w, r, fault)
		return
	}
	answer := newCapture()
	e.handler.ServeHTTP(answer, r)
	e.remember(answer)
	answer.sendTo(w)
}

func (e *Endpoint) remember(answer *capture) {
	if answer.status/100 == 2 && bytes.Contains(answer.body.Bytes(), []byte(e.lane.Outbound().Field())) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.previous = bytes.Clone(answer.body.Bytes())
	}
}

// payloadKeeper takes the plain answer on its way to be sealed, for faults that have to seal it wrongly.
type payloadKeeper struct{ payload []byte }

type payloadKey struct{}

func keepPayload(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keeper, ok := r.Context().Value(payloadKey{}).(*payloadKeeper)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		answer := newCapture()
		next.ServeHTTP(answer, r)
		keeper.payload = bytes.Clone(answer.body.Bytes())
		answer.sendTo(w)
	})
}

func withKeeper(r *http.Request) (*http.Request, *payloadKeeper) {
	keeper := &payloadKeeper{}
	return r.WithContext(context.WithValue(r.Context(), payloadKey{}, keeper)), keeper
}

// capture is an answer that is not sent yet.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newCapture() *capture { return &capture{header: http.Header{}, status: http.StatusOK} }

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

func (c *capture) setBody(body []byte) { c.body = *bytes.NewBuffer(bytes.Clone(body)) }

func (c *capture) sendTo(w http.ResponseWriter) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(c.body.Len()))
	w.WriteHeader(c.status)
	w.Write(c.body.Bytes()) // an error here is the client's going away
}
