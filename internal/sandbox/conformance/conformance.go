// Package conformance sends a server every fault that a request can have, and judges the
// answers. The measure is Sealane's own lane of the same profile: a server must accept and
// refuse the same messages, with the answers of the profile's error table.
package conformance

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// Verdict is the judgment on one answer.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Differs Verdict = "differs" // refused as it must be, with another answer than the profile's
	Failed  Verdict = "failed"
)

// Result is the judgment on the answer to one message.
type Result struct {
	Fault   string  `json:"fault"`   // its name or code; empty for a message without a fault
	Meaning string  `json:"meaning"` // what is wrong with the message
	Verdict Verdict `json:"verdict"`
	Status  int     `json:"status,omitempty"` // of HTTP; 0 if there was no answer
	Want    string  `json:"want"`
	Got     string  `json:"got"`
}

// Check says which server is tried, and with what.
type Check struct {
	// Lane is the client's side.
	Lane *sealane.Lane
	// Signer is the lane's active private key, an *rsa.PrivateKey. It is nil if requests are not
	// signed.
	Signer keyring.Private
	// Base is the transport to the server.
	Base http.RoundTripper
	// Send makes a good request in plain JSON and sends it by the transport, which seals it.
	Send func(ctx context.Context, t http.RoundTripper) error
	// Report is called with each result, if it is not nil.
	Report func(Result)
}

// ErrControl is returned if the server does not accept a message without a fault. Nothing
// can be judged then.
var ErrControl = errors.New("the server does not accept a message without a fault, so nothing can be judged")

// Run sends a message without a fault, then one for each fault, and then one without a
// fault again.
func (c *Check) Run(ctx context.Context) ([]Result, error) {
	reference, err := newReference(c.Lane)
	if err != nil {
		return nil, err
	}
	first := c.control(ctx, "a message without a fault")
	if first.Verdict != OK {
		return []Result{first}, fmt.Errorf("%w: %s", ErrControl, first.Got)
	}
	results := []Result{first}
	var decryptions []answer
	for _, f := range faults(c.Lane.Profile().Profile()) {
		want, possible := reference.expect(ctx, f, c.Send)
		if !possible {
			continue
		}
		if err := ctx.Err(); err != nil {
			return results, err
		}
		got := c.try(ctx, f)
		results = append(results, c.judge(f, want, got))
		if want.outcome == profile.Decryption && got.status/100 != 2 && got.err == nil {
			decryptions = append(decryptions, got)
		}
	}
	results = append(
		results,
		c.oneAnswer(decryptions),
		c.control(ctx, "a message without a fault, after all others"),
	)
	return results, nil
}

func (c *Check) report(r Result) Result {
	if c.Report != nil {
		c.Report(r)
	}
	return r
}

// faults lists the faults by name, and then the codes that no name stands for.
func faults(p *profile.Profile) []sandbox.Fault {
	list := sandbox.RequestFaults(p)
	named := make([]fault.Code, 0, len(list))
	for _, f := range list {
		named = append(named, f.Code())
	}
	for _, code := range sandbox.Codes() {
		tooLarge := code == fault.TooLarge.In(fault.JWE) || code == fault.TooLarge.In(fault.JWS) // many MiB
		if !slices.Contains(named, code) && !tooLarge {
			list = append(list, sandbox.Fault(code))
		}
	}
	return list
}

// answer is an answer of the server, or the reason why there is none.
type answer struct {
	status int
	body   []byte
	err    error
}

// maxBody is how much of an answer is read to judge it, in bytes.
const maxBody = 1 << 20

// recorder keeps the last answer.
type recorder struct {
	base http.RoundTripper
	last answer
}

func (t *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(r)
	if err != nil {
		t.last = answer{err: err}
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	t.last = answer{response.StatusCode, body, err}
	response.Body = readCloser{io.MultiReader(bytes.NewReader(body), response.Body), response.Body}
	return response, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// control sends a message without a fault, which must be accepted, and whose answer must
// be right.
func (c *Check) control(ctx context.Context, meaning string) Result {
	r := Result{Meaning: meaning, Want: "accepted", Verdict: OK, Got: "accepted"}
	rec := &recorder{base: c.Base}
	err := c.Send(ctx, &sealhttp.Transport{Lane: sealhttp.OneLane(c.Lane), Base: rec})
	r.Status = rec.last.status
	if err = cmp.Or(err, rec.last.err); err != nil {
		r.Verdict, r.Got = Failed, err.Error()
	} else if rec.last.status/100 != 2 {
		r.Verdict, r.Got = Failed, fmt.Sprintf("status %d", rec.last.status)
	}
	return c.report(r)
}

// try sends a message with a fault.
func (c *Check) try(ctx context.Context, f sandbox.Fault) answer {
	rec := &recorder{base: c.Base, last: answer{err: errors.New("nothing was sent")}}
	// The recorder has the answer. That Send finds it wrong is no news.
	_ = c.Send(ctx, &sandbox.FaultyTransport{Lane: c.Lane, Signer: c.Signer, Fault: f, Base: rec})
	return rec.last
}

func (c *Check) judge(f sandbox.Fault, want expectation, got answer) Result {
	p := c.Lane.Profile().Profile()
	r := Result{
		Fault: string(f), Meaning: f.Meaning(p), Status: got.status, Want: want.text(p), Got: c.describe(got),
		Verdict: Failed,
	}
	row, _ := p.Errors.Row(want.outcome)
	switch said, _, _, _ := p.Errors.Recognize(got.status, got.body); {
	case f == sandbox.Cut: // the client itself ends the connection
		if got.err != nil || got.status/100 != 2 {
			r.Verdict = OK
		}
	case got.err != nil:
	case want.accepted:
		if got.status/100 == 2 {
			r.Verdict = OK
		}
	case got.status/100 == 2 || got.status/100 == 3:
	case want.notJSON:
		if got.status/100 == 4 {
			r.Verdict = OK
		}
	case got.status >= 500 && row.Status < 500:
	case sameRow(p, said, row):
		r.Verdict = OK
	default:
		r.Verdict = Differs
	}
	return c.report(r)
}

// sameRow reports whether the table answers an outcome as the row does.
func sameRow(p *profile.Profile, on profile.Outcome, row profile.ErrorRow) bool {
	said, ok := p.Errors.Row(on)
	return ok && said.Status == row.Status && said.Text == row.Text
}

// describe says what a server answered.
func (c *Check) describe(got answer) string {
	p := c.Lane.Profile()
	switch _, _, text, ok := p.RecognizeError(got.status, got.body); {
	case got.err != nil:
		return "no answer: " + got.err.Error()
	case got.status/100 == 2:
		return "accepted"
	case ok:
		return fmt.Sprintf("%d, %.100q", got.status, text)
	}
	return fmt.Sprintf("%d, not in the form of the profile's errors", got.status)
}

// oneAnswer judges whether all failed decryptions have the same answer. A server that
// answers them differently tells an attacker about the key.
func (c *Check) oneAnswer(all []answer) Result {
	r := Result{
		Meaning: "all messages that do not decrypt, together", Want: "the same answer to each", Verdict: OK,
	}
	p := c.Lane.Profile()
	var different []string
	for _, a := range all {
		_, _, text, _ := p.RecognizeError(a.status, a.body)
		if says := fmt.Sprintf("%d %.100q", a.status, text); !slices.Contains(different, says) {
			different = append(different, says)
		}
	}
	r.Got = fmt.Sprintf("%s, of %s", termtext.Counted(len(all), "answer"), termtext.Counted(len(different), "kind"))
	if len(different) > 1 {
		r.Verdict = Failed
	}
	return c.report(r)
}
