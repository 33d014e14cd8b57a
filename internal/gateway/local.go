package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/unread"
	"github.com/sealane/sealane/profile"
)

// The verbs of a local API.
const (
	verbSeal = "seal"
	verbOpen = "open"
)

// local makes the rest of a route that is a local API.
func (b *builder) local(ctx context.Context, r, old *route) *route {
	c := r.c
	var err error
	if c.Local != profile.Any {
		if r.profile, err = b.profile(c.Local); err != nil {
			b.wrong(r, "local", err)
			b.independent(ctx, r, old)
			return nil
		}
	}
	r.setHosts()
	b.setRates(r, old)
	b.part(r, "keys", func() error { return b.setSource(ctx, r) }, "partner", "environment",
		"accept_rsa_oaep", "max_payload")
	if r.folder != nil && r.profile != nil && r.folder.Lane().Profile().Name() != r.profile.Name() {
		b.add(r.path+".local", "the lane folder has profile %s", r.folder.Lane().Profile().Name())
	}
	b.independent(ctx, r, old)
	if r.token != nil {
		r.programs, r.token = []program{{LocalToken{Name: "clients"}, r.token}}, nil
	}
	for i, t := range c.Tokens {
		sum, err := b.token(ctx, t.Token)
		b.wrong(r, fmt.Sprintf("tokens[%d].token", i), err)
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

// readLocal reads a body, whose bytes are held until the exchange ends. Among the requests in flight it counts
// when it has arrived: one that trickles keeps nobody out.
func readLocal(q *http.Request, x *exchange, limit int) ([]byte, error) {
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
	unread.Close(w, q)
	p.write(w, x.id)
}

func (r *route) sealLocal(
	ctx context.Context, w *writer, q *http.Request, x *exchange, call localCall, payload []byte,
) {
	err := call.readKeys(ctx, q.Header)
	if errors.Is(err, errKeys) {
		r.refuseLocalCall(w, q, x, refusal(http.StatusBadRequest, "%v", err))
		return
	}
	var message []byte
	if err == nil {
		message, err = call.carried.Seal(ctx, payload)
	}
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
	set(headerKeys, call.replyKeys(ctx, m))
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
