package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/unread"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// serveIngress is the way in, from top to bottom: request, caller, rate, and then sealhttp.Handler with
// the lane's own refusals, length, body and opening; forward takes the request to the application.
// What could not be opened never gets there.
func (r *route) serveIngress(w *writer, q *http.Request, x *exchange) {
	if status, err := refuseRequest(q); err != nil {
		r.refuseIngress(w, q, x, status, err, "The request can't be served")
		return
	}
	if !r.serves(q.Host) {
		err := fmt.Errorf("the host is not one of those that the word hosts of route %s lists", r.name)
		r.refuseIngress(w, q, x, http.StatusMisdirectedRequest, err, "This host is not served here (hosts)")
		return
	}
	if !r.hasToken(q) || !r.hasCertificate(q) {
		r.refuseCaller(w, q, x, errUnknownCaller)
		return
	}
	if r.c.Caller.Way == callerUnauthenticated {
		x.source = network(peer(q)).String()
	}
	f, how, err := r.identify(q)
	x.with(func() { x.lane, x.how = f.lane, how })
	switch {
	case errors.Is(err, errUnknownCaller):
		r.refuseCaller(w, q, x, err)
		return
	case err != nil:
		w.Header().Set("Retry-After", "5")
		r.refuseIngress(w, q, x, http.StatusServiceUnavailable, err, "Service is not available")
		return
	}
	if after, err := r.allow(x, f); err != nil {
		w.Header().Set("Retry-After", strconv.Itoa(after))
		r.refuseIngress(w, q, x, http.StatusTooManyRequests, err, "Too many requests")
		return
	}
	x.with(func() { x.endpoint = endpointOf(f.lane, q) })
	if ambiguous(q.URL) && (x.endpoint == profile.Any || r.anyPath) {
		r.refuseIngress(w, q, x, http.StatusBadRequest, errAmbiguous, "The path can't be served")
		return
	}
	chain := values(q.Header, "X-Forwarded-For")
	authorization := q.Header.Values("Authorization")
	clean(q.Header, r.removed()...)
	if r.c.ForwardAuthorization {
		q.Header["Authorization"] = authorization
	}
	q = q.WithContext(withCarried(q.Context(), &carried{found: f, chain: chain}))
	r.handler.ServeHTTP(w, q)
}

// removed lists the headers of a request that the application doesn't get, in addition to those of the
// gateway.
func (r *route) removed() []string {
	names := []string{r.c.Caller.AccountHeader, r.c.Caller.CertificateHeader, r.c.IdentityHeader}
	if !r.c.ForwardAuthorization && r.c.Caller.Way == callerAPIKey {
		names = append(names, "Authorization")
	}
	return names
}

// endpointOf returns the endpoint of a request, as the profile writes it.
func endpointOf(lane *sealane.Lane, q *http.Request) string {
	if e, ok := lane.Profile().Find(q.Method, q.URL); ok {
		return e.Path()
	}
	return endpointOther
}

// refuseIngress answers a partner in the profile's form.
func (r *route) refuseIngress(w *writer, q *http.Request, x *exchange, status int, err error, text string) {
	x.refused(err)
	w.Header().Set("Content-Type", "application/json")
	unread.Close(w, q)
	writePlain(w, status, r.profile.RenderError(x.id, text))
}

// refuseCaller answers a caller who is not known. The answer is the same for all of them, and comes before
// the body. Above a number a second, callers of one network are told to wait.
func (r *route) refuseCaller(w *writer, q *http.Request, x *exchange, err error) {
	x.refused(err)
	x.with(func() { x.outcome = "unauthenticated" })
	w.Header().Set("Content-Type", "application/json")
	unread.Close(w, q)
	if ok, after := r.g.failures.allow(network(peer(q))); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(after))
		writePlain(w, http.StatusTooManyRequests, []byte(`{"error":"rate_limit"}`))
		return
	}
	if r.c.Caller.Way == callerAPIKey {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writePlain(w, http.StatusUnauthorized, []byte(`{"error":"unauthorized"}`))
}

func writePlain(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error is the client's going away
}

// forward takes an opened request, or a plain one that may pass, to the application.
func (r *route) forward(w http.ResponseWriter, q *http.Request) {
	x := exchangeOf(q.Context())
	if _, sealed := sealhttp.MessageFrom(q.Context()); !sealed {
		x.with(func() { x.message = "plain" })
		if ambiguous(q.URL) {
			x.refused(errAmbiguous)
			w.Header().Set("Content-Type", "application/json")
			writePlain(w, http.StatusBadRequest, r.profile.RenderError(x.id, "The path can't be served"))
			return
		}
	}
	r.proxy.ServeHTTP(w, q)
}

// toApplication is the Rewrite of an ingress.
func (r *route) toApplication(p *httputil.ProxyRequest) {
	out, x := p.Out, exchangeOf(p.In.Context())
	c := carriedOf(p.In.Context())
	toTarget(out, p.In, r.upstream.target)
	out.URL = join(r.upstream.target.Path, out.URL)
	if r.upstream.keepHost {
		out.Host = p.In.Host
	}
	forwarded(out.Header, p.In, c.chain, anyContains(r.c.Caller.From, peer(p.In)))
	set := func(name, value string) { out.Header[name] = []string{safeValue(value)} }
	set(headerPartner, c.lane.Partner())
	set(headerEnvironment, c.lane.Environment())
	set(headerRequestID, x.id)
	if r.c.IdentityHeader != "" {
		set(http.CanonicalHeaderKey(r.c.IdentityHeader), c.lane.Partner())
	}
	message, sealed := sealhttp.MessageFrom(p.In.Context())
	switch m := message.(type) {
	case *sealane.Verified:
		set(headerMessage, "verified")
		if id := m.Signer().ID; id != "" {
			set(headerSigner, id)
		}
	case *sealane.Unverified:
		set(headerMessage, "unverified")
	default:
		set(headerMessage, "plain")
	}
	if header, _, ok := c.lane.Profile().Trigger(); ok {
		removeHeader(out.Header, header) // in any spelling
	}
	if sealed {
		payload := message.Payload()
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(payload)), nil }
	}
}

// fromApplication is the ModifyResponse of an ingress.
func (r *route) fromApplication(response *http.Response) error {
	_, sealed := sealhttp.MessageFrom(response.Request.Context())
	switch status := response.StatusCode; {
	case status == http.StatusSwitchingProtocols:
		return errSwitch
	case sealed && redirects(status):
		return errRedirect
	}
	cleanAnswer(response)
	if location := response.Header.Get("Location"); !sealed && location != "" {
		if own, ok := ownLocation(location, response.Request.URL, r.upstream.target); ok {
			response.Header.Set("Location", own)
		}
	}
	return nil
}

// errors of an application's answer.
var (
	errSwitch   = errors.New("the answer switches to another protocol")
	errRedirect = errors.New("the answer to a sealed request is a redirect")
)

// ingressError is the ErrorHandler of an ingress: nothing of an answer was passed on.
func (r *route) ingressError(w http.ResponseWriter, q *http.Request, err error) {
	x := exchangeOf(q.Context())
	status, text, unknown := http.StatusBadGateway, "The service's answer can't be used", processedUnknown
	sent, isSend := errors.AsType[*sendError](err)
	switch {
	case isSend && !sent.begun:
		status, text, unknown = http.StatusServiceUnavailable, "Service is not available", notProcessed
		w.Header().Set("Retry-After", "5")
	case isTimeout(err):
		status, text = http.StatusGatewayTimeout, "The service did not answer in time"
	}
	x.refused(fmt.Errorf("application: %w", err))
	x.with(func() { x.processed, x.fault = unknown, fault.Code("service.unusable") })
	w.Header().Set("Content-Type", "application/json")
	writePlain(w, status, r.profile.RenderError(x.id, text))
}
