package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/unread"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// serveEgress is the way out, from top to bottom: request, caller, partner, and then sealhttp.Transport
// with the profile's endpoint, the body, sealing, sending, and the answer. Nothing leaves that was
// not sealed, but for what the lane lets pass plain.
func (r *route) serveEgress(w *writer, q *http.Request, x *exchange) {
	w.Header().Set(headerRequestID, x.id)
	if p := r.refuseLocal(q); p != nil {
		r.refuseEgress(w, q, x, r.slowDown(q, p))
		return
	}
	f, q, err := r.addressed(q)
	if err != nil {
		r.refuseEgress(w, q, x, judgeLane(err))
		return
	}
	x.with(func() { x.lane, x.endpoint = f.lane, endpointOf(f.lane, q) })
	if after, err := r.allow(x, f); err != nil {
		p := refusal(http.StatusTooManyRequests, "%v", err)
		p.retry = after
		r.refuseEgress(w, q, x, p)
		return
	}
	sealed := x.endpoint != endpointOther
	if (!sealed || x.endpoint == profile.Any) && ambiguous(q.URL) {
		r.refuseEgress(w, q, x, refusal(http.StatusBadRequest, "%v", errAmbiguous))
		return
	}
	if p := admits(f.lane, q, x.endpoint); p != nil {
		r.refuseEgress(w, q, x, p)
		return
	}
	if !sealed {
		x.with(func() { x.message = "plain" })
	}
	q = q.WithContext(withCarried(q.Context(), &carried{found: f, sealed: sealed}))
	trigger, _, _ := f.lane.Profile().Trigger()
	clean(q.Header, trigger)
	if r.authorization != "" {
		clean(q.Header, "Authorization")
		q.Header.Set("Authorization", r.authorization)
	}
	r.proxy.ServeHTTP(w, q)
}

// refuseLocal refuses what does not come from a program that may have messages sealed.
func (r *route) refuseLocal(q *http.Request) *problem {
	status, err := refuseRequest(q)
	switch {
	case err != nil:
		return refusal(status, "%v", err)
	case !r.serves(q.Host):
		return refusal(http.StatusMisdirectedRequest,
			"the host %q is not one of those that route %s serves: call it by one of them, or list it in hosts",
			safeValue(short(q.Host)), r.name)
	case len(values(q.Header, "Origin")) > 0 || len(values(q.Header, "Sec-Fetch-Site")) > 0:
		return newProblem(kindCaller, http.StatusForbidden, "http_request_denied", notProcessed,
			"the request comes from a browser (Origin or Sec-Fetch-Site): pages must not have messages sealed")
	case !r.hasToken(q):
		return newProblem(kindCaller, http.StatusUnauthorized, "http_request_denied", notProcessed,
			"the header %s is missing or wrong", headerToken)
	case !r.hasCertificate(q):
		return newProblem(kindCaller, http.StatusForbidden, "http_request_denied", notProcessed,
			"the client certificate has none of the names in tls.client_names")
	}
	return nil
}

// slowDown returns the problem of a caller who was refused. Above a number a second, callers of one network are
// told to wait.
func (r *route) slowDown(q *http.Request, p *problem) *problem {
	if p.kind != kindCaller {
		return p
	}
	ok, after := r.g.failures.allow(network(peer(q)))
	if ok {
		return p
	}
	p = newProblem(kindCaller, http.StatusTooManyRequests, "http_request_denied", notProcessed,
		"too many callers of this network were refused (partner_limits.failures)")
	p.retry = after
	return p
}

// addressed returns the lane that a request is for, and the request as the partner sees its path.
func (r *route) addressed(q *http.Request) (found, *http.Request, error) {
	if r.c.Partner != partnerFromPath {
		f, err := r.source.fixed()
		return r.withTarget(f, err, q)
	}
	segments := strings.SplitN(q.URL.EscapedPath(), "/", 4)
	if len(segments) < 4 || segments[0] != "" || strings.ContainsAny(segments[1]+segments[2], "%;") {
		return found{}, q, errPath
	}
	f, err := r.source.named(segments[1], segments[2])
	if err != nil {
		return found{}, q, err
	}
	path, err := url.PathUnescape("/" + segments[3])
	if err != nil {
		return found{}, q, errPath
	}
	at := *q.URL
	at.Path, at.RawPath = path, "/"+segments[3]
	q = q.WithContext(q.Context())
	q.URL = &at
	return r.withTarget(f, nil, q)
}

// withTarget adds where the partner takes requests.
func (r *route) withTarget(f found, err error, q *http.Request) (found, *http.Request, error) {
	if err == nil && r.upstream.target != nil {
		f.target = r.upstream.target
	}
	if err == nil && f.target == nil {
		err = errNoURL
	}
	return f, q, err
}

var (
	errPath  = errors.New("the path is not /{partner}/{environment}/…")
	errNoURL = errors.New("the registry has no URL for the partner in that environment, and the route has no upstream")
)

// judgeLane returns the problem of a lane that was not found.
func judgeLane(err error) *problem {
	switch {
	case errors.Is(err, errPath), errors.Is(err, errUnknownPartner):
		return refusal(http.StatusNotFound, "%v", err)
	}
	p := newProblem(kindNotReady, http.StatusServiceUnavailable, "proxy_internal_error", notProcessed, "%v", err)
	p.retry = 5
	return p
}

// admits refuses a request that the profile does not seal and the lane does not let pass. The problem names
// the entry that would.
func admits(lane *sealane.Lane, q *http.Request, endpoint string) *problem {
	if endpoint != endpointOther || lane.IsPlainEndpoint(q.Method, q.URL) {
		return nil
	}
	entry := knownMethod(q.Method) + " " + safeValue(short(q.URL.EscapedPath()))
	return refusal(http.StatusForbidden, "profile %s does not seal this endpoint; to let it pass unencrypted, "+
		"list it in the word plain of the route, with variables in braces: %q", lane.Profile().Name(), entry)
}

// endpointOther stands for an endpoint that the profile does not list.
const endpointOther = "other"

// short returns the beginning of a text.
func short(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

func (r *route) refuseEgress(w *writer, q *http.Request, x *exchange, p *problem) {
	x.problem(p)
	unread.Close(w, q)
	p.write(w, x.id)
}

// toPartner is the Rewrite of an egress.
func (r *route) toPartner(p *httputil.ProxyRequest) {
	toTarget(p.Out, p.In, carriedOf(p.In.Context()).target)
}

// sealing is the transport of an egress: it seals a request on its lane, and opens the answer.
type sealing struct{ r *route }

func (s sealing) RoundTrip(q *http.Request) (*http.Response, error) {
	c := carriedOf(q.Context())
	t := &sealhttp.Transport{
		Lane: sealhttp.OneLane(c.lane), Base: inTime{s.r.upstream, c.sealed}, BasePath: c.target.Path,
		Limits: &s.r.g.held, Hooks: s.r.g.hooks(sealhttp.StepOpen), Resends: &s.r.g.resends,
	}
	return t.RoundTrip(q)
}

// inTime sends requests. The whole answer to a sealed one must come in time, counted from when it is sent.
type inTime struct {
	upstream *upstream
	sealed   bool
}

func (t inTime) RoundTrip(q *http.Request) (*http.Response, error) {
	if !t.sealed {
		return t.upstream.RoundTrip(q)
	}
	ctx, cancel := context.WithTimeout(q.Context(), t.upstream.response)
	response, err := t.upstream.RoundTrip(q.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &cancelingBody{response.Body, cancel}
	return response, nil
}

type cancelingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// fromPartner is the ModifyResponse of an egress.
func (r *route) fromPartner(response *http.Response) error {
	x, c := exchangeOf(response.Request.Context()), carriedOf(response.Request.Context())
	status := response.StatusCode
	cleanAnswer(response)
	switch {
	case status == http.StatusSwitchingProtocols:
		return newProblem(kindAnswer, http.StatusBadGateway, "http_upgrade_failed", processedUnknown, "%v", errSwitch)
	case status == http.StatusServiceUnavailable:
		return newProblem(kindAnswer, http.StatusBadGateway, "http_response_incomplete", processedUnknown,
			"the partner answered 503 after the request was sent: it may have been processed")
	case status >= 500:
		response.Header.Set(headerProcessed, string(processedUnknown))
		x.with(func() { x.processed = processedUnknown })
	}
	own, ok := ownLocation(response.Header.Get("Location"), join(c.target.Path, response.Request.URL), c.target)
	switch ok = ok && r.c.Partner != partnerFromPath; {
	case redirects(status) && !ok:
		return newProblem(kindAnswer, http.StatusBadGateway, "http_protocol_error", processedUnknown,
			"the partner answered %d, a redirect to another host or without a usable Location", status)
	case ok && !c.sealed: // also of a 201
		response.Header.Set("Location", own)
	}
	response.Header.Set(headerMessage, x.messageKind())
	return nil
}

func (x *exchange) messageKind() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.message == "" {
		return "plain"
	}
	return x.message
}

// egressError is the ErrorHandler of an egress: nothing of an answer was passed on.
func (r *route) egressError(w http.ResponseWriter, q *http.Request, err error) {
	x := exchangeOf(q.Context())
	p := judge(err)
	x.with(func() { x.gone = errors.Is(context.Cause(q.Context()), context.Canceled) })
	x.refused(fmt.Errorf("%s: %w", p.title, err))
	x.problem(p)
	p.write(w, x.id)
}
