package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/sealhttp"
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

// localCall is one request to a local API.
type localCall struct {
	verb, partner, environment string

	found   found
	bare    bool // the message is the token alone
	carried sealhttp.Carried
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
	if after, err := r.allow(x, f); err != nil {
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

var errKeys = errors.New("the header " + headerKeys + " is not one that /open has returned, or does not belong to " +
	"the answer to a request")

// readKeys sets the keys that a request to seal an answer names.
func (c *localCall) readKeys(ctx context.Context, h http.Header) error {
	all := values(h, headerKeys)
	if len(all) == 0 {
		return nil
	}
	text, ok := only(all)
	if !ok || c.carried.Lane.Side() != sealane.ServerSide {
		return errKeys
	}
	lane, err := latest(ctx, c.carried.Lane)
	if err != nil {
		return err
	}
	c.carried.Keys, err = lane.ReadKeys([]byte(text))
	if errors.Is(err, sealane.ErrSealKeysText) {
		return errKeys
	}
	return err
}

// replyKeys returns the text of the keys with which to seal the answer to a request. It is "" for an answer of the
// partner, where answers are not sealed, and where none could be sealed at the moment.
func (c *localCall) replyKeys(ctx context.Context, request sealane.Message) string {
	if c.carried.Lane.Side() != sealane.ServerSide || !c.carried.Lane.Outbound().Sealed() {
		return ""
	}
	lane, err := latest(ctx, c.carried.Lane) // that has opened it, or a later one
	if err != nil {
		return ""
	}
	keys, err := lane.ReplyKeys(request)
	if err != nil {
		return ""
	}
	text, _ := keys.MarshalText()
	return string(text)
}
