package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// Transport is an http.RoundTripper for the client's side of a lane: it seals
// request bodies and opens answers. The caller sees plain JSON both ways.
//
// Errors can be told apart with errors.Is and the sentinels of package sealane:
// a *PartnerError where the partner refused the message, an *AnswerError where
// the request went out and its answer cannot be used, so that it may have been
// processed. Other plain answers outside 2xx, such as a 429, are returned as
// they are.
type Transport struct {
	Lane *sealane.Lane
	Base http.RoundTripper // nil: http.DefaultTransport
}

// RoundTrip seals, sends, and opens. In clear it sends only what the lane's
// PlainEndpoints list, and, on a lane with optional sealing, requests under
// WithPlain. All else that the profile does not seal is refused with
// ErrPlainRefused: a path that is a little wrong, or a redirect, opens no way out.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.Lane == nil || t.Lane.Config().Side != sealane.ClientSide {
		closeBody(r.Body)
		return nil, errors.New("sealhttp.Transport: Lane must be given, and be of the side Client")
	}
	endpoint, vars, listed := t.profile().Find(r.Method, r.URL)
	if !listed || wantsPlain(r.Context()) {
		return t.sendPlain(r, listed)
	}
	payload, err := t.readRequest(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, named(t.Lane, err))
	}
	body, err := sealBody(r.Context(), t.Lane, payload, "", nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	sealed, begun := t.sealedRequest(r, body)
	answer, err := t.base().RoundTrip(sealed)
	if err != nil && begun.Load() {
		return nil, &AnswerError{Method: r.Method, Path: r.URL.Path, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: nothing was sent: %w", r.Method, r.URL.Path, err)
	}
	answer.Request = r
	return t.open(answer, asked{endpoint, vars, payload})
}

func (t *Transport) profile() *profile.Profile { return t.Lane.Config().Profile }

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// sendPlain is for what is not sealed, on purpose or because it can't be.
func (t *Transport) sendPlain(r *http.Request, listed bool) (*http.Response, error) {
	if !isPlainEndpoint(t.Lane, r) && !(wantsPlain(r.Context()) && t.Lane.Config().Sealing == sealane.SealingOptional) {
		closeBody(r.Body)
		detail := "the profile does not seal this endpoint; to send it in clear, list it in PlainEndpoints, or use WithPlain on a lane with optional sealing (sealane call --plain)"
		if listed {
			detail = "it was to go in clear, and the lane requires sealing"
		}
		return nil, &sealane.Error{Op: r.Method + " " + r.URL.Path, Lane: t.Lane.Name(), Sentinel: sealane.ErrPlainRefused,
			Fault: fault.Endpoint, Detail: detail}
	}
	return t.base().RoundTrip(r)
}

// isPlainEndpoint reports whether the lane lists this request's endpoint as plain.
func isPlainEndpoint(lane *sealane.Lane, r *http.Request) bool {
	return slices.ContainsFunc(lane.Config().PlainEndpoints, func(p string) bool { return profile.MatchEndpoint(p, r.Method, r.URL) })
}

func (t *Transport) readRequest(r *http.Request) ([]byte, error) {
	defer closeBody(r.Body)
	if r.Body == nil {
		return nil, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, formatError(fault.ContentEncoding, fmt.Sprintf("Content-Encoding is %.40q", e))
	}
	declared := r.ContentLength
	if declared == 0 {
		declared = -1 // unknown, for a client's request with a body
	}
	return readBody(r.Body, declared, t.Lane.Config().MaxPayload)
}

// sealedRequest gives the request to send, and whether its body has begun to be
// sent: from then on it may have been processed, whatever error comes.
func (t *Transport) sealedRequest(r *http.Request, body []byte) (*http.Request, *atomic.Bool) {
	p := t.profile()
	begun := new(atomic.Bool)
	sealed := r.Clone(r.Context())
	sealed.Header.Set("Content-Type", p.Request.Body.ContentType)
	if sealed.Header.Get("Accept") == "" {
		sealed.Header.Set("Accept", p.Response.Body.ContentType)
	}
	if p.Trigger != nil {
		sealed.Header.Set(p.Trigger.Header, p.Trigger.Value)
	}
	sealed.Header.Del("Accept-Encoding") // the base transport negotiates, and undoes, its own
	sealed.Header.Del("Content-Length")
	sealed.TransferEncoding, sealed.Trailer = nil, nil
	sealed.ContentLength = int64(len(body))
	sealed.GetBody = func() (io.ReadCloser, error) { return &sentBody{bytes.NewReader(body), begun}, nil }
	sealed.Body, _ = sealed.GetBody()
	return sealed, begun
}

// sentBody notes that it is being sent.
type sentBody struct {
	body  *bytes.Reader
	begun *atomic.Bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.begun.Store(true)
	return b.body.Read(p)
}

func (b *sentBody) WriteTo(w io.Writer) (int64, error) {
	b.begun.Store(true)
	return b.body.WriteTo(w)
}

func (b *sentBody) Close() error { return nil }

// open gives the answer with its payload for a body, or the error that it stands for.
func (t *Transport) open(answer *http.Response, x asked) (*http.Response, error) {
	leg := t.Lane.In()
	if answer.StatusCode < 200 && leg.Sealed() { // 101: what follows is no answer to a sealed request
		closeBody(answer.Body)
		return nil, unusable(answer, named(t.Lane, notSealed(nil)))
	}
	if !hasBody(answer) {
		return answer, nil
	}
	if success(answer.StatusCode) && !leg.Sealed() {
		return answer, nil
	}
	body, err := readBody(answer.Body, answer.ContentLength, t.Lane.MaxToken()+spare)
	closeBody(answer.Body)
	var read *sealane.Error
	if errors.As(err, &read) && read.Fault == fault.BodyUnreadable {
		return nil, unusable(answer, fmt.Errorf("it broke off: %w", read.Err)) // not the format's fault
	}
	if err != nil {
		return nil, unusable(answer, named(t.Lane, err))
	}
	if !leg.Sealed() {
		return t.plainAnswer(answer, body, nil)
	}
	message, beside, err := openBody(answer.Request.Context(), t.Lane, body)
	if errors.Is(err, sealane.ErrFormat) {
		return t.plainAnswer(answer, body, err)
	}
	if err != nil {
		return nil, unusable(answer, named(t.Lane, err))
	}
	if err := x.bind(beside, message.Payload()); err != nil {
		return nil, unusable(answer, named(t.Lane, err))
	}
	answer.Header = answer.Header.Clone()
	answer.Header.Set("Content-Type", "application/json")
	setBody(answer, message.Payload())
	answer.Body = &openedBody{answer.Body, message}
	return answer, nil
}

// plainAnswer is for an answer without a token: an error of the table, another
// plain error, or what should have been sealed.
func (t *Transport) plainAnswer(answer *http.Response, body []byte, noToken error) (*http.Response, error) {
	if success(answer.StatusCode) {
		return nil, unusable(answer, named(t.Lane, notSealed(noToken)))
	}
	on, id, text, ok := t.profile().Errors.Recognise(answer.StatusCode, body)
	if ok && on != "" {
		return nil, &PartnerError{Method: answer.Request.Method, Path: answer.Request.URL.Path,
			Status: answer.StatusCode, Outcome: on, Text: text, ID: id}
	}
	if t.Lane.In().UpstreamErrors == "sealed" {
		return nil, unusable(answer, named(t.Lane, notSealed(noToken)))
	}
	setBody(answer, body)
	return answer, nil
}

func notSealed(noToken error) error {
	return &sealane.Error{Op: "read answer", Sentinel: sealane.ErrNotSealed, Fault: fault.AnswerNotSealed, Err: noTokenDetail(noToken)}
}

// noTokenDetail keeps the reason, but not the sentinel: an answer in clear is
// not the partner's word that our format was wrong.
func noTokenDetail(err error) error {
	var e *sealane.Error
	if errors.As(err, &e) {
		return errors.New(strings.TrimSpace(e.Fault.Meaning() + " " + e.Detail))
	}
	return nil
}

// hasBody reports whether an answer of this kind has a body at all (RFC 9110
// section 6.4.1). A 204 carries nothing that could be sealed.
func hasBody(answer *http.Response) bool {
	return answer.StatusCode >= 200 && answer.StatusCode != http.StatusNoContent &&
		answer.StatusCode != http.StatusNotModified && answer.Request.Method != http.MethodHead
}

func success(status int) bool { return status >= 200 && status <= 299 }

func setBody(answer *http.Response, body []byte) {
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", fmt.Sprint(len(body)))
	answer.Header.Del("Content-Encoding")
	answer.TransferEncoding, answer.Trailer = nil, nil
}

// openedBody carries the message with the body.
type openedBody struct {
	io.ReadCloser
	message sealane.Message
}

// MessageOf gives the message that was opened for this answer, or false for one
// that came in clear.
func MessageOf(answer *http.Response) (sealane.Message, bool) {
	b, ok := answer.Body.(*openedBody)
	if !ok {
		return nil, false
	}
	return b.message, true
}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}
