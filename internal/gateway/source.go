package gateway

import (
	"errors"
	"fmt"
	"iter"
	"net/url"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/lanedir"
)

// found is a lane, with what the gateway knows about its caller and its partner.
type found struct {
	lane   *sealane.Lane
	apiKey string   // the identity of the API key that was used, or ""
	target *url.URL // where the partner takes requests, or nil
	limits lanes.Limits

	keys *lanes.Keys          // nil where the registry does not have them
	uses *lanes.UsageRecorder // nil: uses of keys are not counted
}

// source finds the lanes of a route.
type source interface {
	// fixed returns the lane of a route with one partner.
	fixed() (found, error)
	// named returns the lane with a partner in an environment.
	named(partner, environment string) (found, error)
	// byAPIKey and byAccount return the lane of a caller. The error is errUnknownCaller where nobody
	// has that.
	byAPIKey(token string) (found, error)
	byAccount(account string) (found, error)
	// again returns the newest lane with the same partner. The error is errUnknownCaller where an API key that has
	// named the caller is not known any more; it is empty where none has.
	again(lane *sealane.Lane, apiKey string) (found, error)
	// ready returns why messages can't be sealed and opened at the moment, or nil.
	ready() error
}

var (
	errUnknownCaller  = errors.New("the caller is not known")
	errUnknownPartner = errors.New("there is no such partner in that environment")
	errNoRegistry     = errors.New("the route has keys of its own and no registry")
)

// fileSource is a lane from files.
type fileSource struct{ folder *lanedir.Folder }

func (s fileSource) fixed() (found, error) { return found{lane: s.folder.Lane()}, nil }

func (s fileSource) named(partner, environment string) (found, error) {
	if l := s.folder.Lane(); l.Partner() == partner && l.Environment() == environment {
		return found{lane: l}, nil
	}
	return found{}, errUnknownPartner
}

func (s fileSource) byAPIKey(string) (found, error)  { return found{}, errNoRegistry }
func (s fileSource) byAccount(string) (found, error) { return found{}, errNoRegistry }

func (s fileSource) again(*sealane.Lane, string) (found, error) { return s.fixed() }

func (s fileSource) ready() error { return s.folder.Lane().Ready() }

// registrySource finds lanes in the snapshot of the registry.
type registrySource struct {
	registry    *registry
	profile     string       // "": any
	side        sealane.Side // "": any
	partner     string       // "": any
	environment string       // "": any
	terms       lanes.Terms
}

func (s *registrySource) fixed() (found, error) { return s.named(s.partner, s.environment) }

func (s *registrySource) named(partner, environment string) (found, error) {
	snapshot, err := s.registry.current()
	if err != nil {
		return found{}, err
	}
	lane, err := snapshot.LaneWith(lanes.Name{Partner: partner, Environment: environment}, s.terms)
	if errors.Is(err, lanes.ErrNotFound) {
		return found{}, errUnknownPartner
	} else if err != nil {
		return found{}, err
	}
	target, err := snapshot.URL(lanes.Name{Partner: partner, Environment: environment})
	if err != nil {
		return found{}, err
	}
	return s.suits(snapshot, found{lane: lane, target: target}, errUnknownPartner)
}

func (s *registrySource) again(lane *sealane.Lane, apiKey string) (found, error) {
	snapshot, err := s.registry.current()
	if err != nil {
		return found{}, err
	}
	if apiKey != "" && !snapshot.HasAPIKey(nameOf(lane), apiKey) {
		return found{}, errUnknownCaller
	}
	return s.named(lane.Partner(), lane.Environment())
}

func (s *registrySource) byAPIKey(token string) (found, error) {
	snapshot, err := s.registry.current()
	if err != nil {
		return found{}, err
	}
	lane, id, err := snapshot.ByAPIKeyWith(token, s.terms)
	if errors.Is(err, lanes.ErrUnknownAPIKey) || errors.Is(err, lanes.ErrNotFound) {
		return found{}, errUnknownCaller
	} else if err != nil {
		return found{}, err
	}
	f, err := s.suits(snapshot, found{lane: lane, apiKey: id}, errUnknownCaller)
	if err == nil {
		s.registry.used(id)
	}
	return f, err
}

func (s *registrySource) byAccount(account string) (found, error) {
	snapshot, err := s.registry.current()
	if err != nil {
		return found{}, err
	}
	lane, err := snapshot.ByAccountWith(account, s.terms)
	if errors.Is(err, lanes.ErrNotFound) {
		return found{}, errUnknownCaller
	} else if err != nil {
		return found{}, err
	}
	return s.suits(snapshot, found{lane: lane}, errUnknownCaller)
}

// suits adds the limits and the keys of a lane. It refuses one that is not for this route: then its
// partner is as unknown as any other.
func (s *registrySource) suits(snapshot *lanes.Snapshot, f found, unknown error) (found, error) {
	l := f.lane
	switch {
	case s.side != "" && l.Side() != s.side, s.profile != "" && l.Profile().Name() != s.profile,
		s.partner != "" && l.Partner() != s.partner,
		s.environment != "" && l.Environment() != s.environment:
		return found{}, fmt.Errorf("lane %s is not for this route: %w", l.Name(), unknown)
	}
	f.limits, f.keys, f.uses = snapshot.Limits(nameOf(l)), snapshot.Keys(nameOf(l)), s.registry.uses
	return f, nil
}

func (s *registrySource) ready() error {
	_, err := s.registry.current()
	return err
}

// waiting returns why lanes of the route can't be used yet: that of its partner, or of all partners whom it serves.
func (s *registrySource) waiting() iter.Seq[error] {
	return func(yield func(error) bool) {
		snapshot, err := s.registry.current()
		if err != nil {
			yield(err)
			return
		}
		names := snapshot.Names()
		one := s.partner != "" && s.environment != ""
		if one {
			names = func(yield func(lanes.Name) bool) {
				yield(lanes.Name{Partner: s.partner, Environment: s.environment})
			}
		}
		for name := range names {
			f, err := s.named(name.Partner, name.Environment)
			if err == nil {
				err = f.lane.Ready()
			}
			if err == nil || !one && errors.Is(err, errUnknownPartner) { // it is not for this route
				continue
			}
			if !yield(err) {
				return
			}
		}
	}
}
