package gateway

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/admission"
	"github.com/sealane/sealane/sealhttp"
)

const defaultQueue = time.Second

// manyFailures is how many messages a second may fail to open before the next ones of the same sender wait
// behind those of others.
const manyFailures Rate = 10

// places returns how many messages are sealed or opened at once.
func (g *Gateway) places(c *Config) int { return cmp.Or(c.Limits.RSA, g.options.RSA.Concurrency()) }

// hooks are the hooks of a Handler or a Transport. Its first step counts an exchange among those in flight.
// answer is its step for messages whose request was processed: they go first. It is "" where there are none.
func (g *Gateway) hooks(answer sealhttp.Step) sealhttp.Hooks {
	return sealhttp.Hooks{
		Admit: func(ctx context.Context, lane *sealane.Lane, step sealhttp.Step) (func(), error) {
			if x := exchangeOf(ctx); !x.entered {
				if err := x.route.enter(x, carriedOf(ctx).found); err != nil {
					return nil, err
				}
			}
			who := party(ctx, lane)
			order := admission.Request
			switch {
			case step == answer:
				order = admission.Answer
			case g.unopened.exhausted(who, manyFailures) > 0:
				order = admission.Last
			}
			return g.gate.Enter(ctx, who, order)
		},
		Observe: func(ctx context.Context, e sealhttp.Event) {
			if e.Step == sealhttp.StepOpen && e.Step != answer && costly(e.Err) {
				g.unopened.allowAs(party(ctx, e.Lane), manyFailures, 0)
			}
			observe(ctx, e)
		},
		Unopened: g.looks.keep,
		Latest:   latest,
	}
}

// latest returns the newest lane of an exchange. Until its request is opened, the caller's API key must still be
// known; an answer is sealed all the same.
func latest(ctx context.Context, lane *sealane.Lane) (*sealane.Lane, error) {
	x, c := exchangeOf(ctx), carriedOf(ctx)
	apiKey := ""
	if c != nil && !x.opened() {
		apiKey = c.apiKey
	}
	f, err := x.route.now().source.again(lane, apiKey)
	// Since a reload, the route may have another partner, or key files and no registry.
	if err == nil && (f.lane.Name() != lane.Name() || c != nil && (c.uses == nil) != (f.uses == nil)) {
		f, err = x.route.source.again(lane, apiKey)
	}
	if err != nil {
		return nil, err
	}
	if c != nil {
		c.keys = f.keys
	}
	return f.lane, nil
}

// now returns the route of that name that is in force: since a reload, this one may not learn of changes.
func (r *route) now() *route {
	if next := r.g.state.Load().route(r.name); next != nil {
		return next
	}
	return r
}

// costly reports whether a message was refused after a private key was used for it.
func costly(err error) bool {
	return errors.Is(err, sealane.ErrDecryption) || errors.Is(err, sealane.ErrNotJWS) ||
		errors.Is(err, sealane.ErrSignature)
}

// maxInFlight is how many sealed requests are served at once, in all.
const maxInFlight = 8192

// share is the share of the limits that a message counts for.
func share(ctx context.Context, lane *sealane.Lane) sealhttp.Share {
	who := party(ctx, lane)
	return sealhttp.Share{Account: who.Partner, Source: who.Source}
}

// party returns on whose account a message is.
func party(ctx context.Context, lane *sealane.Lane) admission.Party {
	if x := exchangeOf(ctx); x != nil {
		return x.party(lane)
	}
	return admission.Party{Partner: lane.Partner()}
}

// party returns on whose account a message of the exchange is. A caller who is not identified is told from others
// by the network. A route with key files may leave out the partner's name: that is nobody else's partner.
func (x *exchange) party(lane *sealane.Lane) admission.Party {
	who := admission.Party{Partner: lane.Partner(), Source: x.source}
	if c := x.route.c; c.Keys != nil && c.Keys.Folder == "" && c.Partner == "" {
		who.Partner = "route " + x.route.name
	}
	return who
}
