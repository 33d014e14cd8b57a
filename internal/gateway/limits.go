package gateway

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter limits how often something may happen for each key. It remembers a bounded number of keys.
type limiter[K comparable] struct {
	now   func() time.Time
	most  int
	mu    sync.Mutex
	rate  rate.Limit // 0: no limit
	burst int
	keys  map[K]*rate.Limiter
}

// maxKeys bounds the keys of a limiter.
const maxKeys = 10000

func newLimiter[K comparable](now func() time.Time) *limiter[K] {
	return &limiter[K]{now: now, most: maxKeys, keys: map[K]*rate.Limiter{}}
}

// set sets the limit of all keys. A rate of 0 is no limit.
func (l *limiter[K]) set(r Rate, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if burst == 0 {
		burst = r.Burst()
	}
	if l.rate != rate.Limit(r) || l.burst != burst {
		l.rate, l.burst = rate.Limit(r), burst
		clear(l.keys)
	}
}

// allow reports whether it may happen now, and else after how many seconds.
func (l *limiter[K]) allow(key K) (ok bool, after int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return true, 0
	}
	now := l.now()
	one := l.of(key, now, l.rate, l.burst)
	if one.AllowN(now, 1) {
		return true, 0
	}
	return false, seconds(one)
}

// of returns the limiter of a key.
func (l *limiter[K]) of(key K, now time.Time, r rate.Limit, burst int) *rate.Limiter {
	one := l.keys[key]
	if one == nil {
		if len(l.keys) >= l.most {
			l.forget(now)
		}
		one = rate.NewLimiter(r, burst)
		l.keys[key] = one
	}
	return one
}

// seconds returns how many seconds one more takes.
func seconds(one *rate.Limiter) int { return max(1, int(math.Ceil(1/float64(one.Limit())))) }

// forget drops the keys that are at rest, and, where that is not enough, all.
func (l *limiter[K]) forget(now time.Time) {
	for key, one := range l.keys {
		if one.TokensAt(now) >= float64(one.Burst()) {
			delete(l.keys, key)
		}
	}
	if len(l.keys) >= l.most {
		clear(l.keys)
	}
}

// network returns the network of an address, in which a stranger can have any number of addresses.
func network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // a unix socket
	}
	return p
}
