package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealhttp"
)

// SenderFaults lists what FaultyTransport can be asked for by name, beside any
// code of malform.Codes.
var SenderFaults = []FaultName{
	{"wrong-key", "the message is encrypted to another key"},
	{"sha1-oaep", "its key is encrypted with RSA-OAEP (SHA-1)"},
	{"cut-tag", "its authentication tag is cut"},
	{"unknown-key-id", "it names a key ID that nobody knows"},
	{"unsealed", "it comes in clear"},
	{"slow", "it comes late (slow=3s; default 1s)"},
	{"cut", "the connection is cut in the middle of it"},
}

// FaultyTransport sends what passes it sealed with a fault, as a broken VCAS would.
type FaultyTransport struct {
	Lane  *sealane.Lane // the client's side
	Fault string
	Base  http.RoundTripper
}

// RoundTrip makes the fault and sends. The answer is given as it comes.
func (t *FaultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	payload, err := io.ReadAll(io.LimitReader(r.Body, int64(t.Lane.MaxPayload())))
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	name, value, _ := strings.Cut(t.Fault, "=")
	token := payload
	switch name {
	case "unsealed":
	case "slow", "cut":
		token, err = t.Lane.Seal(r.Context(), payload)
	default:
		token, err = Malform(name, t.Lane, nil, payload)
	}
	if err != nil {
		return nil, err
	}
	if name == "slow" && !pause(r.Context(), value) {
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
	if name == "cut" {
		sent.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	}
	return t.Base.RoundTrip(sent)
}

// brokenReader is a body that breaks off.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) {
	return 0, errors.New("the sender cuts the connection, as asked")
}
