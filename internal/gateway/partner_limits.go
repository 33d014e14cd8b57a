package gateway

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/admission"
	"github.com/sealane/sealane/internal/lanes"
)

// partnerLimits bound what partners ask for. The limits of the file, of a route and of the registry apply
// together, so that each can only tighten the others. Where callers are not identified, each network has them by
// itself: a stranger must not use up what the partner may do.
type partnerLimits struct {
	partners *limiter[admission.Party] // the file's
	lanes    *limiter[account]         // the registry's, each with a rate of its own
	failures *limiter[account]         // requests that were refused

	mu   sync.Mutex
	open map[inFlightKey]int // sealed requests that are served
}

// account is a lane, and the network of a caller who is not identified.
type account struct {
	admission.Party
	environment string
}

// account returns on whose account an exchange is.
func (x *exchange) account(lane *sealane.Lane) account {
	return account{x.party(lane), lane.Environment()}
}

// inFlightKey is an account, on one route or, with no route, on all.
type inFlightKey struct {
	route string
	of    account
}

func newPartnerLimits(now func() time.Time) *partnerLimits {
	return &partnerLimits{
		partners: newLimiter[admission.Party](now), lanes: newLimiter[account](now),
		failures: newLimiter[account](now), open: map[inFlightKey]int{},
	}
}

var (
	errRate     = errors.New("the partner is over its rate (partner_limits, limits, or the registry's)")
	errFailures = errors.New("too many requests of the partner were refused (failures)")
	errInFlight = errors.New("too many requests of the partner are served at the moment (in_flight)")
)

// allow returns an error if the partner of an exchange may make no request now, and after how many seconds it may.
func (r *route) allow(x *exchange, f found) (after int, err error) {
	l, of := r.g.partners, x.account(f.lane)
	if after := l.failures.exhausted(of, r.failures(f.limits)); after > 0 {
		return after, errFailures
	}
	if ok, after := l.partners.allow(of.Party); !ok {
		return after, errRate
	}
	if ok, after := r.rates.allow(of.Party); !ok {
		return after, errRate
	}
	if ok, after := l.lanes.allowAs(of, f.limits.Rate, f.limits.Burst); !ok {
		return after, errRate
	}
	return 0, nil
}

func nameOf(l *sealane.Lane) lanes.Name {
	return lanes.Name{Partner: l.Partner(), Environment: l.Environment()}
}

// failures returns how many requests of a lane may be refused in a second; 0 is any number.
func (r *route) failures(l lanes.Limits) Rate {
	return leastLimit(l.Failures, r.g.config().PartnerLimits.Failures, r.c.Limits.Failures)
}

// leastLimit returns the smallest limit of those that are given.
func leastLimit[N int | int64 | Rate](all ...N) (least N) {
	for _, one := range all {
		if one > 0 && (least == 0 || one < least) {
			least = one
		}
	}
	return least
}

// failed notes that a request was refused which its partner made wrong.
func (l *partnerLimits) failed(of account, r Rate) { l.failures.spend(of, r) }

// enter counts a sealed request of an exchange before its first step. The exchange leaves when it is finished.
func (r *route) enter(x *exchange, f found) error {
	l, of := r.g.partners, x.account(f.lane)
	most := map[inFlightKey]int{
		{of: of}:                leastLimit(f.limits.InFlight, r.g.config().PartnerLimits.InFlight),
		{route: r.name, of: of}: r.c.Limits.InFlight,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, n := range most {
		if n > 0 && l.open[key] >= n {
			return errInFlight
		}
	}
	for key := range most {
		l.open[key]++
	}
	x.entered = true
	x.ends = append(x.ends, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for key := range most {
			if l.open[key]--; l.open[key] == 0 {
				delete(l.open, key)
			}
		}
	})
	return nil
}

// allowAs is like allow, with a limit of the key's own.
func (l *limiter[K]) allowAs(key K, r Rate, burst int) (ok bool, after int) {
	if r == 0 {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one, now := l.as(key, r, burst)
	if one.AllowN(now, 1) {
		return true, 0
	}
	return false, seconds(one)
}

// spend counts one more for a key, also where the limit does not allow it.
func (l *limiter[K]) spend(key K, r Rate) {
	if r == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one, now := l.as(key, r, 0)
	one.ReserveN(now, 1)
}

// exhausted returns 0 if the limit of a key allows one more, and else after how many seconds.
func (l *limiter[K]) exhausted(key K, r Rate) (after int) {
	if r == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if one, now := l.as(key, r, 0); one.TokensAt(now) < 1 {
		return seconds(one)
	}
	return 0
}

// as returns the limiter of a key, with that limit.
func (l *limiter[K]) as(key K, r Rate, burst int) (*rate.Limiter, time.Time) {
	if burst == 0 {
		burst = r.Burst()
	}
	now := l.now()
	one := l.of(key, now, rate.Limit(r), burst)
	if one.Limit() != rate.Limit(r) || one.Burst() != burst {
		one.SetLimitAt(now, rate.Limit(r))
		one.SetBurstAt(now, burst)
	}
	return one, now
}
