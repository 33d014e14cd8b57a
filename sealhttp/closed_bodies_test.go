package sealhttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// replying is a partner that always answers with the same status and body, and records
// whether the body is closed.
type replying struct {
	status int
	body   io.Reader
	closed bool
}

func (p *replying) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{StatusCode: p.status, Header: http.Header{}, Body: closer{p.body, &p.closed},
		ContentLength: -1, Request: r}, nil
}

// TestAnswersAreClosed: a connection whose answer is not closed is never used again.
func TestAnswersAreClosed(t *testing.T) {
	for name, p := range map[string]*replying{
		"opened":          {200, strings.NewReader(answerBody(t, ``, `{}`)), false},
		"not sealed":      {200, strings.NewReader(`{}`), false},
		"contradiction":   {200, strings.NewReader(answerBody(t, `"eval_id":"1",`, `{"eval_id":"2"}`)), false},
		"error of theirs": {400, strings.NewReader(testlane.ErrorBody(t, "riskos", sealane.ErrDecryption)), false},
		"other error":     {429, strings.NewReader(`{"error":"rate_limit"}`), false},
		"101":             {101, strings.NewReader(``), false},
		"too large":       {200, io.LimitReader(&counting{}, 1<<20), false},
		"broken off":      {200, broken{}, false},
	} {
		lane := customer(t, func(c *sealane.Config) { c.MaxPayload = 1000 })
		transport := &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: p}
		answer, err := transport.RoundTrip(request(t, "POST", "http://partner.test/api/evaluation", `{}`))
		if err == nil {
			answer.Body.Close()
		}
		if !p.closed {
			t.Errorf("%s: the answer's body is left open (%v)", name, err)
		}
	}
}

// TestRequestsAreClosed: a RoundTripper closes the request's body, even if it sends
// nothing.
func TestRequestsAreClosed(t *testing.T) {
	lane := customer(t)
	for name, c := range map[string]struct {
		lane   sealhttp.LaneFunc
		method string
	}{
		"no lane":             {nil, "POST"},
		"no lane for it":      {func(*http.Request) (*sealane.Lane, error) { return nil, errBroken }, "POST"},
		"the server's lane":   {sealhttp.OneLane(testlane.New(t, config(t, sealane.ServerSide))), "POST"},
		"not listed":          {sealhttp.OneLane(lane), "PUT"},
		"no key":              {sealhttp.OneLane(customer(t, func(c *sealane.Config) { c.Theirs = nil })), "POST"},
		"larger than allowed": {sealhttp.OneLane(customer(t, func(c *sealane.Config) { c.MaxPayload = 1 })), "POST"},
	} {
		closed := false
		r := request(t, c.method, "http://partner.test/api/evaluation", ``)
		r.Body = closer{strings.NewReader(`{}`), &closed}
		base := &replying{200, strings.NewReader(``), false}
		_, err := (&sealhttp.Transport{Lane: c.lane, Base: base}).RoundTrip(r)
		if err == nil || !closed || base.closed || errors.Is(err, sealane.ErrMayBeProcessed) {
			t.Errorf("%s: closed %t, %v", name, closed, err)
		}
		if errors.Is(err, errBroken) && !strings.Contains(err.Error(), "POST /api/evaluation") {
			t.Errorf("%s: the error does not name the request: %v", name, err)
		}
	}
}
