package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// The verbs of a local API.
const (
	verbSeal = "seal"
	verbOpen = "open"
)

// program is a program that uses a local API, known by its token.
type program struct {
	LocalToken
	sum []byte // the SHA-256 of the token
}

// may reports whether the program may do something with a partner's messages.
func (p program) may(verb, partner, environment string) bool {
	in := func(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }
	return in(p.Verbs, verb) && in(p.Partners, partner) && in(p.Environments, environment)
}

// local makes the rest of a route that is a local API.
func (b *builder) local(ctx context.Context, r, old *route) *route {
	c := r.c
	wrong := func(word string, err error) {
		if err != nil {
			b.add(r.path+"."+word, "%v", err)
		}
	}
	var err error
	if c.Local != profile.Any {
		if r.profile, err = b.profile(c.Local); err != nil {
			wrong("local", err)
			return nil
		}
	}
	r.setHosts()
	b.setRates(r, old)
	wrong("keys", b.setSource(ctx, r))
	if r.folder != nil && r.profile != nil && r.folder.Lane().Profile().Name() != r.profile.Name() {
		b.add(r.path+".local", "the lane folder has profile %s", r.folder.Lane().Profile().Name())
	}
	r.tls, err = newServerTLS(c.TLS, b.c.dir)
	wrong("tls", err)
	wrong("clients.token", b.setSecrets(ctx, r))
	if r.token != nil {
		r.programs, r.token = []program{{LocalToken{Name: "clients"}, r.token}}, nil
	}
	for i, t := range c.Tokens {
		sum, err := b.token(ctx, t.Token)
		wrong(fmt.Sprintf("tokens[%d].token", i), err)
		for _, other := range r.programs {
			if slices.Equal(other.sum, sum) && sum != nil {
				b.add(fmt.Sprintf("%s.tokens[%d].token", r.path, i), "is that of %s too: give each program its own",
					other.Name)
			}
		}
		r.programs = append(r.programs, program{t, sum})
	}
	return r
}

// checkLocal refuses what a local API doesn't have.
func (c *routeCheck) checkLocal() {
	r := c.r
	for _, one := range []struct {
		given bool
		word  string
	}{
		{r.Upstream != nil, "upstream"}, {r.Caller != nil, "caller"}, {r.Authorization != "", "authorization"},
		{r.ForwardAuthorization, "forward_authorization"}, {r.IdentityHeader != "", "identity_header"},
		{len(r.Plain) > 0, "plain"}, {r.Sealing != "", "sealing"},
	} {
		c.unless(!one.given, one.word, "is not for a local API, which sends nothing")
	}
	c.unless(r.knowsCallers(), "tokens", "must be given, also on loopback: who may have messages sealed and "+
		"opened? Or give clients with a token, or tls with client_ca and client_names")
	c.checkReach()
	names := map[string]bool{"clients": true}
	for i, t := range r.Tokens {
		word := fmt.Sprintf("tokens[%d]", i)
		c.unless(routeName.MatchString(t.Name), word+".name",
			"must be given: 1 to 63 letters, digits, dots, dashes and underscores")
		c.unless(!names[t.Name], word+".name", "%.64q is another token's", t.Name)
		names[t.Name] = true
		c.unless(t.Token != "", word+".token", "must be given")
		for _, v := range t.Verbs {
			c.unless(v == verbSeal || v == verbOpen, word+".verbs", "has %.20q: there are seal and open", v)
		}
	}
}

// oneOf reports whether exactly one holds.
func oneOf(all ...bool) bool {
	n := 0
	for _, one := range all {
		if one {
			n++
		}
	}
	return n == 1
}

// localTime is how long sealing or opening one message may take, with the wait for its turn.
const localTime = 30 * time.Second

// localCall is one request to a local API.
type localCall struct {
	verb, partner, environment string

	found   found
	bare    bool // the message is the token alone
	carried sealhttp.Carried
}

// serveLocal serves a local API, from top to bottom: request, program, lane, body, and then
// sealhttp.Carried.
func (r *route) serveLocal(w *writer, q *http.Request, x *exchange) {
	w.Header().Set(headerRequestID, x.id)
	call, p := r.localCall(w, q, x)
	if p != nil {
		r.refuseLocalCall(w, q, x, p)
		return
	}
	q = q.WithContext(withCarried(q.Context(), &carried{found: call.found, sealed: true}))
	limit := call.carried.Lane.MaxPayload()
	if call.verb == verbOpen {
		limit = call.carried.Lane.MaxToken() + aroundToken
	}
	body, err := readLocal(q, x, limit)
	if err != nil {
		r.refuseLocalCall(w, q, x, judgeLocal(err))
		return
	}
	ctx, cancel := context.WithTimeout(q.Context(), localTime)
	defer cancel()
	if call.verb == verbSeal {
		r.sealLocal(ctx, w, q, x, call, body)
		return
	}
	r.openLocal(ctx, w, q, x, call, body)
}

// readLocal reads a body. It counts among the requests in flight, and its bytes are held, until the exchange
// ends.
func readLocal(q *http.Request, x *exchange, limit int) ([]byte, error) {
	if err := x.route.enter(x, carriedOf(q.Context()).found); err != nil {
		return nil, err
	}
	tooLarge := &sealane.Error{
		Op: sealane.OpReadBody, Outcome: sealane.ErrTooLarge, Fault: fault.BodyTooLarge,
		Detail: fmt.Sprintf("body has more than %d bytes", limit),
	}
	if q.ContentLength > int64(limit) {
		return nil, tooLarge
	}
	held, release := x.route.g.held.Reader(q.Context(), x.lane, q.Body, heldForByte)
	x.ends = append(x.ends, release)
	body, err := readlimit.All(held, limit)
	if _, is := errors.AsType[*readlimit.TooLargeError](err); is {
		return nil, tooLarge
	}
	if err != nil && !errors.Is(err, sealane.ErrUnavailable) {
		err = &sealane.Error{
			Op: sealane.OpReadBody, Outcome: sealane.ErrFormat, Fault: fault.BodyUnreadable, Err: err,
		}
	}
	return body, err
}

// heldForByte is how many bytes are held for each byte that arrives: the buffer it is read into, and the sealed or
// opened message.
const heldForByte = 4

// aroundToken is how many bytes a body has around its token at most.
const aroundToken = 8 << 10

func (r *route) refuseLocalCall(w *writer, q *http.Request, x *exchange, p *problem) {
	x.problem(p)
	closeUnread(w, q)
	p.write(w, x.id)
}

// localCall returns what a request asks for, as far as its header tells.
func (r *route) localCall(w *writer, q *http.Request, x *exchange) (localCall, *problem) {
	none := localCall{}
	if p := r.refuseLocal(q); p != nil {
		return none, p
	}
	who, ok := r.program(q)
	if !ok {
		return none, newProblem(kindCaller, http.StatusUnauthorized, "http_request_denied", notProcessed,
			"the header %s is missing or wrong", headerToken)
	}
	x.with(func() { x.how = who.Name })
	call, ok := parseLocal(q.URL)
	switch {
	case !ok:
		return none, refusal(http.StatusNotFound, "%v", errLocalPath)
	case q.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return none, refusal(http.StatusMethodNotAllowed, "%v", errMethod)
	}
	x.with(func() { x.endpoint = "/" + call.verb + "/{partner}/{environment}" })
	// What the program may not use, it can't find out about.
	if !who.may(call.verb, call.partner, call.environment) {
		return none, newProblem(kindCaller, http.StatusForbidden, "http_request_denied", notProcessed,
			"the token may not do this with this partner and environment (tokens of the route)")
	}
	f, err := r.source.named(call.partner, call.environment)
	if err != nil {
		return none, judgeLane(err)
	}
	x.with(func() { x.lane = f.lane })
	call.found = f
	answer := sealhttp.StepSeal // what belongs to a request that was processed goes first
	if f.lane.Side() == sealane.ClientSide {
		answer = sealhttp.StepOpen
	}
	call.carried = sealhttp.Carried{Lane: f.lane, Bare: call.bare, Hooks: r.g.hooks(answer)}
	if p := call.about(q.Header); p != nil {
		return none, p
	}
	if after, err := r.allow(f); err != nil {
		p := refusal(http.StatusTooManyRequests, "%v", err)
		p.retry = after
		return none, p
	}
	return call, nil
}

var errLocalPath = errors.New("the URL is not /seal/{partner}/{environment} or /open/{partner}/{environment}, with " +
	"?form=token or ?form=body")

// program returns the program that a request is of. Where a route has no tokens, it is known by its
// certificate. All tokens are compared, so that the time doesn't tell which one was similar.
func (r *route) program(q *http.Request) (found program, ok bool) {
	if len(r.programs) == 0 {
		name, ok := r.certificateName(q)
		return program{LocalToken: LocalToken{Name: name}}, ok
	}
	for _, one := range r.programs {
		if shows(q, one.sum) {
			found, ok = one, true
		}
	}
	return found, ok
}

// parseLocal returns the verb, the partner, the environment and the form of a URL.
func parseLocal(u *url.URL) (call localCall, ok bool) {
	parts := strings.Split(u.EscapedPath(), "/")
	if len(parts) != 4 || parts[0] != "" || strings.ContainsAny(u.EscapedPath(), "%;") {
		return call, false
	}
	call.verb, call.partner, call.environment = parts[1], parts[2], parts[3]
	switch u.RawQuery {
	case "", "form=token":
		call.bare = true
	case "form=body":
	default:
		return call, false
	}
	return call, call.verb == verbSeal || call.verb == verbOpen
}

// about adds what the header of a request says of the message.
func (c *localCall) about(h http.Header) *problem {
	lane := c.carried.Lane
	leg := lane.Inbound()
	if c.verb == verbSeal {
		leg = lane.Outbound()
	}
	if !leg.Sealed() {
		return newProblem(kindMessage, http.StatusUnprocessableEntity, "http_request_denied", notProcessed,
			"profile %s seals nothing in this direction: the message is plain", lane.Profile().Name())
	}
	endpoints, requests := values(h, headerEndpoint), values(h, headerRequest)
	if len(endpoints) > 0 {
		text, ok := only(endpoints)
		method, path, both := strings.Cut(text, " ")
		u, err := url.ParseRequestURI(path)
		if !ok || !both || err != nil || u.IsAbs() || u.Host != "" || ambiguous(u) {
			return refusal(http.StatusBadRequest, "the header %s is not of the form METHOD /path", headerEndpoint)
		}
		match, known := lane.Profile().Find(method, u)
		if !known {
			return refusal(http.StatusForbidden, "profile %s does not seal the endpoint of the header %s",
				lane.Profile().Name(), headerEndpoint)
		}
		c.carried.Endpoint = &match
	}
	if len(requests) > 0 {
		text, ok := only(requests)
		if _, err := strictjson.TopLevel([]byte(text)); !ok || err != nil || c.carried.Endpoint == nil {
			return refusal(http.StatusBadRequest,
				"the header %s is not one JSON object of at most 1 KiB, or comes without the header %s",
				headerRequest, headerEndpoint)
		}
		c.carried.Request = []byte(text)
	}
	return nil
}

func (r *route) sealLocal(
	ctx context.Context, w *writer, q *http.Request, x *exchange, call localCall, payload []byte,
) {
	message, err := call.carried.Seal(ctx, payload)
	if err != nil {
		r.refuseLocalCall(w, q, x, judgeLocal(err))
		return
	}
	w.Header().Set("Content-Type", "application/jose")
	if !call.bare {
		w.Header().Set("Content-Type", call.carried.Lane.Outbound().ContentType())
	}
	call.answer(w, message)
}

func (r *route) openLocal(
	ctx context.Context, w *writer, q *http.Request, x *exchange, call localCall, message []byte,
) {
	m, err := call.carried.Open(ctx, message)
	if err != nil {
		r.refuseLocalCall(w, q, x, judgeLocal(err))
		return
	}
	set := func(name, value string) {
		if value != "" {
			w.Header().Set(name, safeValue(value))
		}
	}
	set("Content-Type", "application/json")
	set(headerOpenedBy, m.OpenedBy().ID)
	switch m := m.(type) {
	case *sealane.Verified:
		set(headerMessage, "verified")
		set(headerSigner, m.Signer().ID)
	case *sealane.Unverified:
		set(headerMessage, "unverified")
	}
	if call.carried.Lane.Side() == sealane.ClientSide {
		set(headerBound, "no")
		if call.carried.Endpoint != nil {
			set(headerBound, "yes")
		}
	}
	call.answer(w, m.Payload())
}

// answer writes what was sealed or opened.
func (c localCall) answer(w *writer, body []byte) {
	h := w.Header()
	h.Set(headerPartner, safeValue(c.carried.Lane.Partner()))
	h.Set(headerEnvironment, safeValue(c.carried.Lane.Environment()))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	w.Write(body) // an error is the client's going away
}

// judgeLocal returns the problem of a message that was not sealed or opened. The program that asked may
// pass the answer on to the partner. So all messages that can't be decrypted get one answer, without
// the fault, which is in the log.
func judgeLocal(err error) *problem {
	on, is := errors.AsType[profile.Outcome](err)
	text := err.Error()
	if reason, isLane := errors.AsType[*sealane.Error](err); isLane {
		text = reasonOf(reason)
	}
	refused := func(status int) *problem {
		return newProblem(kindMessage, status, "http_request_denied", notProcessed, "%s", text)
	}
	var p *problem
	switch {
	case is && on == sealane.ErrDecryption:
		return newProblem(kindMessage, http.StatusUnprocessableEntity, "http_request_denied", notProcessed,
			"the message can't be decrypted; the log of the gateway has the reason under the id")
	case is && on == sealane.ErrTooLarge:
		p = refused(http.StatusRequestEntityTooLarge)
	case is && slices.Contains([]profile.Outcome{
		sealane.ErrFormat, sealane.ErrNotJWE, sealane.ErrNotJWS, sealane.ErrNotSealed, sealane.ErrSignature,
		sealane.ErrContradiction,
	}, on):
		p = refused(http.StatusUnprocessableEntity)
	default:
		p = newProblem(kindNotReady, http.StatusServiceUnavailable, "proxy_internal_error", notProcessed, "%s", text)
		p.retry = 5
	}
	p.fault = sealane.FaultOf(err)
	return p
}
