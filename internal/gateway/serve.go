package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Run listens, and serves until ctx ends. Then it says that it is not ready, goes on for the time drain.wait,
// and ends open requests in good order, in the time drain.end at most. ready is called with the addresses
// when all of them listen; it may be nil.
func (g *Gateway) Run(ctx context.Context, ready func(addresses map[string]net.Addr)) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g.mu.Lock()
	g.run = run
	err := g.listen(g.state.Load())
	if err == nil {
		g.start(g.state.Load())
	}
	addresses := g.addresses()
	g.mu.Unlock()
	if err != nil {
		g.Close()
		return err
	}
	g.running.Go(func() { g.watch(run) })
	g.running.Go(func() { g.looks.run(run) })
	g.running.Go(func() { g.watchClock(run) })
	g.running.Go(func() { g.watchRenewals(run) })
	g.running.Go(func() { g.watchEnds(run) })
	if ready != nil {
		ready(addresses)
	}
	select {
	case err = <-g.ended:
	case <-ctx.Done():
		g.draining.Store(true)
		g.log.Info("draining")
		wait(g.config().Drain.Wait.Or(0), g.ended)
	}
	err = errors.Join(err, g.end(g.config().Drain.End.Or(defaultEnd)))
	stop()
	g.running.Wait()
	g.close()
	return err
}

const defaultEnd = 30 * time.Second

// wait waits a time, or until a listener ends by itself.
func wait(d time.Duration, ended <-chan error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	}
}

// start starts the background work of a state.
func (g *Gateway) start(s *state) {
	if s.registry == nil || s.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(g.run)
	s.stop = cancel
	g.running.Go(func() {
		s.registry.run(ctx)
		g.releaseRenewals(ctx, s.registry)
		s.registry.source.Close()
	})
}

// keysStay is how long, at least, the keys of a configuration stay open that is no longer in force: requests may
// still use them. It comes on top of the time that an upstream may take to answer.
const keysStay = 2 * time.Minute

// retired is something that is no longer in force.
type retired struct {
	until time.Time // no request uses it any more
	close func()
}

// retire takes a state out of force, and closes what no request can still need. Until then a registry stores the
// uses that requests note, unless the next one does.
func (g *Gateway) retire(old, next *state) {
	longest := keysStay
	for _, r := range old.routes {
		stays := keysStay
		if r.upstream != nil {
			stays += r.upstream.response
		}
		longest = max(longest, stays)
		if r.folder != nil {
			g.retired = append(g.retired, retired{g.now().Add(stays), func() { r.folder.Close() }})
		}
	}
	if old.registry != nil && (next.registry == nil || next.registry.uses != old.registry.uses) {
		g.retired = append(g.retired, retired{g.now().Add(longest), old.stop})
		old.stop = func() {}
	}
	old.discardShared(next)
	g.closeRetired(false)
}

// closeRetired closes what no request uses any more, or all. g.mu must be held.
func (g *Gateway) closeRetired(all bool) {
	now := g.now()
	g.retired = slices.DeleteFunc(g.retired, func(r retired) bool {
		if !all && r.until.After(now) {
			return false
		}
		r.close()
		return true
	})
}

// close frees what the state holds.
func (g *Gateway) close() {
	g.mu.Lock()
	g.closeRetired(true)
	g.mu.Unlock()
	for _, r := range g.state.Load().routes {
		if r.upstream != nil {
			r.upstream.close()
		}
		if r.folder != nil {
			r.folder.Close()
		}
	}
}

// Close frees what a gateway holds that does not run.
func (g *Gateway) Close() {
	g.close()
	if s := g.state.Load(); s.registry != nil {
		s.registry.source.Close()
	}
}

// addresses returns where the routes listen, by their names, and "admin".
func (g *Gateway) addresses() map[string]net.Addr {
	all := map[string]net.Addr{}
	for _, r := range g.state.Load().routes {
		if l := g.listeners[listenerKey(r)]; l != nil {
			all[r.name] = l.net.Addr()
		}
	}
	if g.admin != nil {
		all["admin"] = g.admin.net.Addr()
	}
	return all
}

// listenerKey is what the routes of one listener have in common. A port 0 is a port of its own each time.
func listenerKey(r *route) Address {
	address := r.c.Listen.Address
	if r.tls != nil {
		address = "tls:" + address
	}
	if r.c.Listen.Address.free() {
		return address + "#" + Address(r.name)
	}
	return address
}

// listen opens the listeners of a state that are not open yet, and sets the routes of all of them. After an
// error nothing has changed.
func (g *Gateway) listen(s *state) (err error) {
	wanted := map[Address][]*route{}
	for _, r := range s.routes {
		wanted[listenerKey(r)] = append(wanted[listenerKey(r)], r)
	}
	opened := map[Address]*listener{}
	defer func() {
		if err == nil {
			return
		}
		for _, l := range opened {
			l.net.Close()
		}
	}()
	for key, routes := range wanted {
		if g.listeners[key] != nil {
			continue
		}
		n, err := openListener(g.run, routes[0].c.Listen)
		if err == nil {
			err = checkPassed(n, routes)
		}
		if err != nil {
			return fmt.Errorf("route %s: %w", routes[0].name, err)
		}
		opened[key] = newListener(g, n, s.config.Limits)
	}
	admin, err := g.openAdmin(s.config.Admin)
	if err != nil {
		return err
	}
	for key, l := range opened {
		g.listeners[key] = l
	}
	for key, l := range g.listeners {
		if routes, ok := wanted[key]; ok {
			l.routes.Store(&routes)
			continue
		}
		delete(g.listeners, key)
		g.running.Go(func() { l.end(s.config.Drain.End.Or(defaultEnd)) })
	}
	for _, l := range opened {
		g.running.Go(func() { g.serve(l) })
	}
	g.setAdmin(admin)
	return nil
}

// serve serves a listener until it ends.
func (g *Gateway) serve(l *listener) {
	if err := l.serve(); err != nil {
		select {
		case g.ended <- err:
		default:
		}
	}
}

// end ends all listeners, in that time at most.
func (g *Gateway) end(in time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ending = true
	ends := make(chan error, len(g.listeners))
	for _, l := range g.listeners {
		go func() { ends <- l.end(in) }()
	}
	var errs []error
	for range len(g.listeners) {
		errs = append(errs, <-ends)
	}
	g.setAdmin(nil)
	return errors.Join(errs...)
}

// Reload reads the configuration again and puts it in force: all of it, or, after an error, nothing.
// Listeners, connections to upstreams and limiters that the new file has too live on.
func (g *Gateway) Reload(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.replace(func(old *state) (*state, error) { return g.build(ctx, old) })
}

// replace puts another state in force: all of it, or, after an error, nothing. g.mu must be held.
func (g *Gateway) replace(build func(old *state) (*state, error)) error {
	if g.run == nil || g.ending {
		return errors.New("the gateway does not run yet, or ends")
	}
	old := g.state.Load()
	next, err := build(old)
	if err != nil {
		return err
	}
	if next.registry != nil && next.registry == old.registry {
		next.stop = old.stop
	}
	if err := g.listen(next); err != nil {
		next.discard(old)
		return err
	}
	for _, word := range staying(old.config.Limits, next.config.Limits) {
		g.log.Warn("a limit of open listeners stays as it was until a restart", "word", "limits."+word)
	}
	if next.registry != nil && old.registry != nil {
		next.registry.passOn(old.registry)
	}
	g.apply(next)
	g.start(next)
	g.retire(old, next)
	return nil
}

// staying returns the words that have changed and are for new listeners only.
func staying(old, next Limits) []string {
	var words []string
	for _, one := range []struct {
		word    string
		changed bool
	}{
		{"connections", old.Connections != next.Connections}, {"header", old.Header != next.Header},
		{"header_time", old.HeaderTime != next.HeaderTime}, {"idle", old.Idle != next.Idle},
	} {
		if one.changed {
			words = append(words, one.word)
		}
	}
	return words
}

// ReloadAndLog is [Gateway.Reload] for a signal, whose sender reads the log.
func (g *Gateway) ReloadAndLog(ctx context.Context) {
	if err := g.Reload(ctx); err != nil {
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.log.Error("the configuration stays as it was", "reason", err.Error())
		return
	}
	g.metrics.reloads.WithLabelValues("done").Inc()
	g.log.Info("the configuration was read again")
}

// watchEvery is how often files are looked at.
const watchEvery = 10 * time.Second

// watch reads files again when their content changes.
func (g *Gateway) watch(run context.Context) {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-run.Done():
			return
		case <-ticks.C:
			g.Refresh(run)
			g.mu.Lock()
			g.closeRetired(false)
			g.mu.Unlock()
		}
	}
}

// Refresh reads keys, certificates and secrets again whose files have changed. What can't be read stays as it was.
func (g *Gateway) Refresh(ctx context.Context) {
	for _, r := range g.state.Load().routes {
		if r.folder != nil {
			g.report(r, "keys")(r.folder.Reload(ctx))
		}
		if r.tls != nil {
			g.report(r, "certificate")(r.tls.reload())
		}
		if r.client != nil {
			changed, err := r.client.reload()
			g.report(r, "client certificate")(changed, err)
			if changed { // connections that are open have the one before
				r.upstream.transport.CloseIdleConnections()
			}
		}
	}
	g.refreshReadOnce(ctx)
}

// report logs what became of a reading.
func (g *Gateway) report(r *route, what string) func(changed bool, err error) {
	return func(changed bool, err error) {
		switch {
		case err != nil:
			g.log.Error(what+" stay as they were", "route", r.name, "reason", err.Error())
		case changed:
			g.log.Info(what+" were read again", "route", r.name)
		}
	}
}
