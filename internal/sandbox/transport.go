package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// FaultyTransport seals requests with a fault, as a broken VCAS or customer would. It makes
// the faults of [RequestFaults] and those of [Codes].
type FaultyTransport struct {
	Lane   *sealane.Lane   // the client's side
	Signer keyring.Private // the lane's active key, in memory; nil if messages are not signed
	Fault  Fault
	Base   http.RoundTripper
}

// RoundTrip seals the request with the fault and sends it. It returns the response
// unchanged.
func (t *FaultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, int64(t.Lane.MaxPayload())))
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	name, value := t.Fault.split()
	token := payload
	switch name {
	case Unsealed:
	case Slow, Cut:
		token, err = t.Lane.Seal(r.Context(), payload)
	default:
		token, err = Malform(t.Fault, t.Lane, t.Signer, payload)
	}
	if err != nil {
		return nil, err
	}
	if name == Slow && !pause(r.Context(), value) {
		return nil, r.Context().Err()
	}
	form := t.Lane.Outbound()
	body := sealhttp.WrapToken(token, form)
	sent := r.Clone(r.Context())
	sent.Header.Set("Content-Type", form.ContentType())
	if header, value, ok := t.Lane.Profile().Trigger(); ok {
		sent.Header.Set(header, value)
	}
	sent.Body, sent.ContentLength, sent.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	if name == Cut {
		sent.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	}
	return t.Base.RoundTrip(sent)
}

// brokenReader is a body that ends with an error.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, errors.New("the sender cuts the connection, as asked")
}
