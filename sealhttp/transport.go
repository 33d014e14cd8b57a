package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// NewClient returns an *http.Client for one lane. It has no time-out: set its Timeout, or
// limit each request by its context.
func NewClient(lane *sealane.Lane) *http.Client {
	return &http.Client{Transport: &Transport{Lane: OneLane(lane)}}
}

// Transport is an http.RoundTripper for the client's side of lanes: it seals request bodies
// and opens responses. The caller sees plain JSON in both directions.
//
// Unlike other RoundTrippers, it also returns errors for responses: a *[PartnerError] if
// the partner refused the message, and an *[AnswerError] if the request was sent and its
// response cannot be used, so that it may have been processed. Use errors.Is with the
// outcomes of package sealane to distinguish them. Other unencrypted responses outside 2xx,
// such as a 429, are returned unchanged.
type Transport struct {
	// Lane returns the lane of a request. It must be of ClientSide. Use [OneLane] if there
	// is one lane that does not change.
	Lane LaneFunc
	// Base sends the sealed requests. The default is http.DefaultTransport.
	Base http.RoundTripper
	// BasePath is put before the path of each request when it is sent, such as "/v2". The
	// profile's endpoints are compared with the path without it.
	BasePath string
	// Limits bound what sealed messages hold, from when a request is read until its response's body is
	// closed. Nil is no limit.
	Limits *Limits
	// Hooks bound and observe what is sealed and opened.
	Hooks Hooks
	// Resends remembers with which keys partners accepted messages. The default is one for this
	// Transport alone.
	Resends *Resends

	own Resends
}

// RoundTrip seals a request, sends it, and opens its response. [MessageFrom] with the
// context of the response's Request returns the opened message.
//
// It removes headers that concern one connection, that describe the plain body, or that ask
// for a part of the response. A response to a sealed request is accepted only if it was
// opened: a redirect and a status without a body are errors. Therefore an http.Client does
// not follow redirects of sealed requests. If the profile does not seal responses, one that
// is accepted was read to its end.
//
// If a kept-alive connection fails, an *http.Client and its transport send a request with
// the header Idempotency-Key (or X-Idempotency-Key) again. The sealed request is then sent
// twice, byte for byte the same.
//
// If the partner answers that it could not decrypt a request or verify its signature, nothing was
// processed, and it may have other keys than the active ones, as in a rotation. The request is then
// sealed and sent again with another key of the lane that counts: at most once after
// [sealane.ErrDecryption], and once after [sealane.ErrSignature]. Keys that the partner has accepted
// so are used first for ten minutes. A lane with a [sealane.Config.NoResend] sends nothing again.
//
// It sends a request unencrypted only if the lane's PlainEndpoints list it, or if sealing
// is optional on the lane and the request has [WithPlain]. Everything else that the profile
// does not seal is refused with [sealane.ErrPlainRefused].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	lane, err := t.lane(r)
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	if err := refuseRedirect(lane, r); err != nil {
		closeBody(r.Body)
		return nil, err
	}
	endpoint, listed := lane.Profile().Find(r.Method, r.URL)
	if !listed || wantsPlain(r.Context()) {
		return t.sendPlain(lane, r, listed)
	}
	held := t.Limits.reserve(r.Context(), lane)
	var response *http.Response
	defer func() {
		if response == nil { // an error, or a panic
			held.release()
		}
	}()
	if response, err = t.exchange(lane, r, endpoint, held); err != nil {
		return nil, err
	}
	if held != nil {
		response.Body = &releasingBody{response.Body, held}
	}
	return response, nil
}

// releasingBody is the body of a response, with what the exchange holds until it is closed.
type releasingBody struct {
	io.ReadCloser
	held *reservation
}

func (b *releasingBody) Close() error {
	defer b.held.release()
	return b.ReadCloser.Close()
}

// payload returns the payload of a request. A place is taken for it.
func (t *Transport) payload(
	lane *sealane.Lane, r *http.Request, endpoint profile.Match, held *reservation,
) ([]byte, error) {
	if !endpoint.AllowsQuery(r.URL.RawQuery) {
		closeBody(r.Body)
		return nil, failure(lane, sealane.OpSend, sealane.ErrFormat, fault.Query, "")
	}
	payload, err := readRequest(lane, r, held)
	if err != nil {
		return nil, inLane(lane, err)
	}
	return payload, held.enter()
}

// seal returns the request to send.
func (t *Transport) seal(s sealing, r *http.Request, payload []byte, held *reservation) (*http.Request, error) {
	if err := held.grow(s.bodyLen(len(payload))); err != nil {
		return nil, err
	}
	body, err := t.Hooks.sealBody(r.Context(), s, payload)
	if err != nil {
		return nil, err
	}
	return sealedRequest(s.lane, r, body), nil
}

// notSent observes and returns the error of a request that could not be sealed.
func (t *Transport) notSent(r *http.Request, endpoint profile.Match, lane *sealane.Lane, err error) error {
	t.Hooks.refused(r.Context(), lane, StepSeal, err)
	return fmt.Errorf("%s: %w", requestLine(r.Method, endpoint.Path()), err)
}

// send sends a request. It distinguishes errors before anything was sent from later ones,
// after which the request may have been processed.
func (t *Transport) send(r *http.Request, path string) (*http.Response, error) {
	begun, ctx := new(atomic.Bool), r.Context()
	if r.Body == nil || r.Body == http.NoBody { // then the header alone can be processed
		begun.Store(true) // also if the base does not trace
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GetConn:          func(string) { begun.Store(false) },
			WroteHeaderField: func(string, []string) { begun.Store(true) },
		})
	}
	sent := r.WithContext(ctx)
	sent.URL = t.withBasePath(r.URL)
	if r.Body != nil && r.Body != http.NoBody {
		sent.Body = &sentBody{r.Body, begun}
	}
	if r.GetBody != nil {
		sent.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			return &sentBody{body, begun}, err
		}
	}
	response, err := t.base().RoundTrip(sent)
	switch {
	case err != nil && begun.Load():
		return nil, &AnswerError{Method: r.Method, Path: path, Err: err}
	case err != nil:
		return nil, fmt.Errorf("%s: nothing was sent: %w", requestLine(r.Method, path), err)
	}
	// The context may have the message of another request, which is not the message of this
	// response.
	response.Request = r.WithContext(withMessage(r.Context(), nil))
	return response, nil
}

// withBasePath returns a URL with BasePath in front of its path, whose escapes stay as they are.
func (t *Transport) withBasePath(u *url.URL) *url.URL {
	base := strings.TrimSuffix(t.BasePath, "/")
	if base == "" {
		return u
	}
	joined := *u
	joined.RawPath = base + u.EscapedPath()
	joined.Path = base + u.Path
	if path, err := url.PathUnescape(joined.RawPath); err == nil {
		joined.Path = path
	}
	return &joined
}

// lane returns the lane of a request.
func (t *Transport) lane(r *http.Request) (*sealane.Lane, error) {
	if t.Lane == nil {
		return nil, errors.New("sealhttp.Transport: Lane must be given")
	}
	lane, err := t.Lane(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, shortPath(r), err)
	}
	if lane == nil || lane.Side() != sealane.ClientSide {
		return nil, errors.New("sealhttp.Transport: Lane returned no lane of ClientSide")
	}
	return lane, nil
}

// refuseRedirect refuses a request that an http.Client sends because it was redirected to
// another origin. Redirects of unencrypted requests are not signed, and a request that is
// sealed here, or its headers, would be sent to a stranger.
func refuseRedirect(lane *sealane.Lane, r *http.Request) error {
	if r.Response == nil || r.Response.Request == nil {
		return nil
	}
	from := r.Response.Request.URL
	if from.Scheme == r.URL.Scheme && from.Host == r.URL.Host {
		return nil
	}
	return fmt.Errorf("%s %s: %w", r.Method, shownPath(lane, r),
		failure(lane, sealane.OpSend, sealane.ErrPlainRefused, fault.AnswerRedirects,
			"a plain response redirects it to another host"))
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// sendPlain sends a request unencrypted if the lane allows it. listed reports whether the
// profile seals its endpoint.
func (t *Transport) sendPlain(lane *sealane.Lane, r *http.Request, listed bool) (*http.Response, error) {
	asked := wantsPlain(r.Context()) && lane.Sealing() == sealane.SealingOptional
	if asked || lane.IsPlainEndpoint(r.Method, r.URL) {
		return t.send(r, shownPath(lane, r))
	}
	closeBody(r.Body)
	detail := "the profile does not seal this endpoint; to send it unencrypted, list it in PlainEndpoints, " +
		"or use WithPlain on a lane with optional sealing"
	if listed {
		detail = "the request is not sealed, and the lane requires sealing"
	}
	return nil, fmt.Errorf("%s %s: %w", r.Method, shownPath(lane, r),
		failure(lane, sealane.OpSend, sealane.ErrPlainRefused, fault.Endpoint, detail))
}

// readRequest returns the payload.
func readRequest(lane *sealane.Lane, r *http.Request, held *reservation) ([]byte, error) {
	defer closeBody(r.Body)
	if r.Body == nil {
		return nil, nil
	}
	if e := strings.Join(r.Header.Values("Content-Encoding"), ", "); e != "" && !strings.EqualFold(e, "identity") {
		return nil, formatError(fault.ContentEncoding, fmt.Sprintf("Content-Encoding is %.40q", e))
	}
	declared := r.ContentLength
	if declared == 0 {
		declared = -1 // unknown, for a client's request with a body
	}
	b := buffer{held: held}
	err := readBody(&b, r.Body, declared, lane.MaxPayload())
	return b.data, err
}

// sealedRequest returns the request to send.
func sealedRequest(lane *sealane.Lane, r *http.Request, body []byte) *http.Request {
	sealed := r.Clone(r.Context())
	dropHeaders(sealed.Header)
	sealed.Header.Set("Content-Type", lane.Outbound().ContentType())
	if sealed.Header.Get("Accept") == "" {
		sealed.Header.Set("Accept", lane.Inbound().ContentType())
	}
	if header, value, ok := lane.Profile().Trigger(); ok {
		sealed.Header.Set(header, value)
	}
	sealed.TransferEncoding, sealed.Trailer = nil, nil
	sealed.ContentLength = int64(len(body))
	sealed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sealed.Body, _ = sealed.GetBody()
	return sealed
}

// sentBody records that it is being sent.
type sentBody struct {
	io.ReadCloser
	begun *atomic.Bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.begun.Store(true)
	return b.ReadCloser.Read(p)
}
