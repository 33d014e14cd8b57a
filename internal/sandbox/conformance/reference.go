package conformance

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// reference is both ends of a lane of the same profile, with keys of its own and the key
// IDs of the lane. Its server shows how a fault must be answered.
type reference struct {
	client  *sealane.Lane
	signer  *rsa.PrivateKey
	server  http.Handler
	called  bool // the last request was accepted
	notJSON bool // and what was sealed is not JSON
}

// bits is the size of the reference's keys.
const bits = 2048

func newReference(lane *sealane.Lane) (*reference, error) {
	ours, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	theirs, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	config := sealane.Config{Profile: lane.Profile(), Environment: lane.Environment(), Partner: "reference"}
	r := &reference{signer: ours}
	client, server, err := sandbox.Ends(config, sandbox.End{Key: ours, ID: activeID(lane.Ours())},
		sandbox.End{Key: theirs, ID: activeID(lane.Theirs())})
	if err != nil {
		return nil, err
	}
	r.client = client
	r.server = &sealhttp.Handler{
		Lane: sealhttp.OneLane(server),
		Next: http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			body, err := io.ReadAll(q.Body)
			r.called, r.notJSON = true, err != nil || !json.Valid(body)
		}),
		Log: slog.New(slog.DiscardHandler),
	}
	return r, nil
}

func activeID(keys []keyring.KeyInfo) string {
	i := slices.IndexFunc(keys, func(k keyring.KeyInfo) bool { return k.State == keyring.Active })
	if i < 0 {
		return ""
	}
	return keys[i].ID
}

// expectation is how a message must be answered.
type expectation struct {
	accepted bool
	notJSON  bool // it opens, and the service must refuse what is in it
	outcome  profile.Outcome
}

func (e expectation) text(p *profile.Profile) string {
	switch {
	case e.notJSON:
		return "opened, and refused by the service: the payload is not JSON"
	case e.accepted:
		return "accepted"
	}
	row, _ := p.Errors.Row(e.outcome)
	return fmt.Sprintf("%s: %d, %.100q", string(e.outcome), row.Status, row.Text)
}

// expect has the reference answer a message with the fault. It reports false if a message
// of the lane cannot have the fault.
func (r *reference) expect(
	ctx context.Context, f sandbox.Fault, send func(context.Context, http.RoundTripper) error,
) (expectation, bool) {
	if f == sandbox.Slow || f == sandbox.Cut {
		return expectation{accepted: f == sandbox.Slow, outcome: profile.Format}, true
	}
	r.called, r.notJSON = false, false
	rec := &recorder{base: sandbox.HandlerTransport{Handler: r.server}}
	faulty := &sandbox.FaultyTransport{Lane: r.client, Signer: r.signer, Fault: f, Base: rec}
	_ = send(ctx, faulty) // the recorder has the answer
	if rec.last.status == 0 {
		return expectation{}, false // nothing was sent
	}
	on, _, _, _ := r.client.Profile().RecognizeError(rec.last.status, rec.last.body)
	return expectation{accepted: r.called && !r.notJSON, notJSON: r.called && r.notJSON, outcome: on}, true
}
