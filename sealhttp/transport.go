package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
)

// NewClient returns an *http.Client for one lane. It has no time-out: set its Timeout,
// or bound each request by its context.
func NewClient(lane *sealane.Lane) *http.Client {
	return &http.Client{Transport: &Transport{Lane: OneLane(lane)}}
}

// Transport is an http.RoundTripper for the client's side of lanes: it seals request
// bodies and opens responses. The caller sees plain JSON both ways.
//
// It returns an error also for responses, unlike other RoundTrippers: a *[PartnerError]
// where the partner refused the message, and an *[AnswerError] where the request went
// out and its response can't be used, so that it may have been processed. Both can be
// told apart with errors.Is and the outcomes of package sealane. Other plain responses
// outside 2xx, such as a 429, are returned as they are.
type Transport struct {
	// Lane returns the lane of a request, of ClientSide. [OneLane] serves where
	// there is one that does not change.
	Lane LaneFunc
	// Base sends the sealed requests. The default is http.DefaultTransport.
	Base http.RoundTripper
}

// RoundTrip seals a request, sends it, and opens its response. [MessageFrom] of the
// context of the response's Request returns the opened message.
//
// It sends a request unencrypted only where the lane's PlainEndpoints list it, or
// where sealing is optional on the lane and the request has [WithPlain]. Everything
// else that the profile does not seal is refused with [sealane.ErrPlainRefused].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	lane, err := t.lane(r)
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	endpoint, listed := lane.Profile().Find(r.Method, r.URL)
	if !listed || wantsPlain(r.Context()) {
		return t.sendPlain(lane, r, listed)
	}
	payload, err := readRequest(lane, r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, inLane(lane, err))
	}
	body, err := sealBody(r.Context(), lane, payload, "", nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	sealed, begun := sealedRequest(lane, r, body)
	response, err := t.base().RoundTrip(sealed)
	if err != nil && begun.Load() {
		return nil, &AnswerError{Method: r.Method, Path: r.URL.Path, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: nothing was sent: %w", r.Method, r.URL.Path, err)
	}
	response.Request = r
	return openResponse(lane, response, requestInfo{endpoint, payload})
}

// lane returns the lane of a request.
func (t *Transport) lane(r *http.Request) (*sealane.Lane, error) {
	if t.Lane == nil {
		return nil, errors.New("sealhttp.Transport: Lane must be given")
	}
	lane, err := t.Lane(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	if lane == nil || lane.Side() != sealane.ClientSide {
		return nil, errors.New("sealhttp.Transport: Lane returned no lane of ClientSide")
	}
	return lane, nil
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// sendPlain sends a request unencrypted where the lane allows it. listed says that
// the profile seals its endpoint.
func (t *Transport) sendPlain(lane *sealane.Lane, r *http.Request, listed bool) (*http.Response, error) {
	asked := wantsPlain(r.Context()) && lane.Sealing() == sealane.SealingOptional
	if asked || lane.IsPlainEndpoint(r.Method, r.URL) {
		return t.base().RoundTrip(r)
	}
	closeBody(r.Body)
	detail := "the profile does not seal this endpoint; to send it unencrypted, list it in PlainEndpoints, " +
		"or use WithPlain on a lane with optional sealing (sealane call --plain)"
	if listed {
		detail = "it was to go out unencrypted, and the lane requires sealing"
	}
	return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path,
		failure(lane, sealane.OpSend, sealane.ErrPlainRefused, fault.Endpoint, detail))
}

func readRequest(lane *sealane.Lane, r *http.Request) ([]byte, error) {
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
	return readBody(r.Body, declared, lane.MaxPayload())
}

// sealedRequest returns the request to send, and whether its body has begun to be
// sent: from then on it may have been processed, whatever error comes.
func sealedRequest(lane *sealane.Lane, r *http.Request, body []byte) (*http.Request, *atomic.Bool) {
	begun := new(atomic.Bool)
	sealed := r.Clone(r.Context())
	sealed.Header.Set("Content-Type", lane.Outbound().ContentType())
	if sealed.Header.Get("Accept") == "" {
		sealed.Header.Set("Accept", lane.Inbound().ContentType())
	}
	if header, value, ok := lane.Profile().Trigger(); ok {
		sealed.Header.Set(header, value)
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

// openResponse returns the response with its payload as body, or the error that it
// stands for.
func openResponse(lane *sealane.Lane, response *http.Response, to requestInfo) (*http.Response, error) {
	sealed := lane.Inbound().Sealed()
	if response.StatusCode < 200 && sealed { // 101: what follows is no answer to a sealed request
		closeBody(response.Body)
		return nil, unusable(response, notSealed(lane, nil))
	}
	if !hasBody(response) {
		return response, nil
	}
	if success(response.StatusCode) && !sealed {
		return response, nil
	}
	body, err := readBody(response.Body, response.ContentLength, lane.MaxToken()+spare)
	closeBody(response.Body)
	var read *sealane.Error
	if errors.As(err, &read) && read.Fault == fault.BodyUnreadable {
		return nil, unusable(response, fmt.Errorf("it broke off: %w", read.Err)) // the format is not at fault
	}
	if err != nil {
		return nil, unusable(response, inLane(lane, err))
	}
	if !sealed {
		return plainResponse(lane, response, body, nil)
	}
	message, siblings, err := openBody(response.Request.Context(), lane, body)
	if errors.Is(err, sealane.ErrFormat) {
		return plainResponse(lane, response, body, err)
	}
	if err != nil {
		return nil, unusable(response, err)
	}
	if err := to.bind(lane, siblings, message.Payload()); err != nil {
		return nil, unusable(response, err)
	}
	response.Header = response.Header.Clone()
	response.Header.Set("Content-Type", "application/json")
	setBody(response, message.Payload())
	response.Request = response.Request.WithContext(withMessage(response.Request.Context(), message))
	return response, nil
}

// plainResponse handles a response without a token: an error of the table, another
// plain error, or a response that should have been sealed.
func plainResponse(lane *sealane.Lane, response *http.Response, body []byte, noToken error) (*http.Response, error) {
	if success(response.StatusCode) {
		return nil, unusable(response, notSealed(lane, noToken))
	}
	on, id, text, ok := lane.Profile().RecognizeError(response.StatusCode, body)
	if ok && on != "" {
		return nil, &PartnerError{Method: response.Request.Method, Path: response.Request.URL.Path,
			Status: response.StatusCode, Outcome: on, Text: text, ID: id}
	}
	if lane.Inbound().SealsErrors() {
		return nil, unusable(response, notSealed(lane, noToken))
	}
	setBody(response, body)
	return response, nil
}

// notSealed says that a response is plain. It keeps the text of noToken and not its
// outcome: a plain response is not the partner's word that our format was wrong.
func notSealed(lane *sealane.Lane, noToken error) error {
	e := failure(lane, sealane.OpReadResponse, sealane.ErrNotSealed, fault.AnswerNotSealed, "")
	var reason *sealane.Error
	if errors.As(noToken, &reason) {
		e.Err = errors.New(strings.TrimSpace(reason.Fault.Meaning() + " " + reason.Detail))
	}
	return e
}

// hasBody reports whether a response of this kind has a body (RFC 9110
// section 6.4.1). A 204 carries nothing that could be sealed.
func hasBody(response *http.Response) bool {
	return response.StatusCode >= 200 && response.StatusCode != http.StatusNoContent &&
		response.StatusCode != http.StatusNotModified && response.Request.Method != http.MethodHead
}

func success(status int) bool { return status >= 200 && status <= 299 }

func setBody(response *http.Response, body []byte) {
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", fmt.Sprint(len(body)))
	response.Header.Del("Content-Encoding")
	response.TransferEncoding, response.Trailer = nil, nil
}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}
