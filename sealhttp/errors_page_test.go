package sealhttp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// nextStep is the code of docs/errors.md: what a caller does about an error.
func nextStep(err error) string {
	var partner *sealhttp.PartnerError
	switch {
	case err == nil:
		return "use"
	case errors.Is(err, sealane.ErrMayBeProcessed):
		return "ask"
	case errors.As(err, &partner):
		if partner.Outcome == sealane.ErrUnavailable {
			return "retry"
		}
		return "alarm"
	case sealane.OutcomeOf(err) == sealane.ErrUnavailable:
		return "retry"
	}
	return "alarm"
}

// TestNextSteps holds docs/errors.md to the errors of real calls.
func TestNextSteps(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	call := func(ctx context.Context, url, body string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.Client().Do(r)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	const body = `{"id":"r-1","timestamp":"2026-03-04T12:00:00Z","workflow":"w",` +
		`"data":{"individual":{"family_name":"Accept"}}}`
	url := p.URL + "/api/evaluation"
	if err := call(t.Context(), url, body); err != nil { // Swapped needs a response before it
		t.Fatal(err)
	}
	for f, want := range map[sealanetest.Fault]string{
		"": "use", "not-supported": "alarm", "decryption": "alarm", "signature": "alarm", "plain-refused": "alarm",
		"too-large": "alarm", "format": "alarm", "not-jwe": "alarm", "not-jws": "alarm", "unavailable": "retry",
		"sealing-failed":      "ask",
		sealanetest.WrongKey:  "ask", // the response does not open
		sealanetest.Unsealed:  "ask",
		sealanetest.Swapped:   "ask",
		sealanetest.Cut:       "ask",
		sealanetest.CutTag:    "ask",
		sealanetest.SlowBy(0): "use",
	} {
		if f != "" {
			p.Fail(f)
		}
		if err := call(t.Context(), url, body); nextStep(err) != want {
			t.Errorf("%q: %s, want %s: %v", f, nextStep(err), want, err)
		}
	}
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := call(ended, url, body); nextStep(err) != "retry" {
		t.Errorf("no time: %v", err)
	}
	if err := call(t.Context(), "http://127.0.0.1:1/api/evaluation", body); nextStep(err) != "retry" {
		t.Errorf("nobody listens: %v", err)
	}
	if err := call(t.Context(), p.URL+"/api/other", body); nextStep(err) != "alarm" {
		t.Errorf("an endpoint that the profile does not have: %v", err)
	}
}
