package demo

import (
	"context"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// side is one of the two companies of the renewals: its registry and people, its schedule, and a gateway.
type side struct {
	*company
	other    string // what it calls the other one
	schedule *renewal.Scheduler
	reader   *lanes.Reader
	snap     *lanes.Snapshot // that is in force in the gateway
	usage    lanes.UsageRecorder
	started  time.Time
}

// openSide makes a company that exchanges messages with another.
func (s *scenario) openSide(name, other string, as sealane.Side) (*side, error) {
	c, err := s.openCompany(name)
	if err != nil {
		return nil, err
	}
	d := &side{
		company: c, other: other, reader: c.Lanes(), started: c.Time(),
		schedule: &renewal.Scheduler{Registry: c.Registry, Holder: name},
	}
	return d, d.addPartner(other, as)
}

// name returns the lane with the other company.
func (d *side) name() lanes.Name {
	return lanes.Name{Partner: d.other, Environment: d.scenario.environment}
}

// makePair makes a key pair with a certificate for some years. It follows another where one is in use.
func (d *side) makePair(years int, follows bool) (registry.KeyPair, error) {
	s := d.scenario
	pair, _, err := d.operator.CreateKeyPair(s.ctx, registry.NewPair{
		Profile: s.profile.Name, Partner: d.other, Environment: s.environment, Renewal: follows,
		Subject: cert.Template{
			CommonName: "api." + d.company.name + ".example", Organization: "Demo " + d.company.name, Unit: "Payments",
			Email: "keys@" + d.company.name + ".example", Validity: years,
		},
	})
	return pair, err
}

// installed records the word of the other company that it has installed a pair.
func (d *side) installed(pair, said string) error {
	target := exchange.Target{KeyPair: pair, Partner: d.other, Said: said}
	return exchange.New(d.operator.WithReason(said)).MarkInstalled(d.scenario.ctx, target)
}

// order orders the activation of a key for a time; the second person releases it.
func (d *side) order(key string, at time.Time) error {
	return d.agreed("", func(s *registry.Session) error {
		name := renewal.Name{ID: key, Partner: d.other}
		_, err := renewal.New(s).Order(d.scenario.ctx, renewal.Activation{Name: name, At: at, Change: "CHG-4712"})
		return err
	})
}

// retire ends the use of a key that nobody uses any more.
func (d *side) retire(key string) error {
	return d.agreed("nobody uses it any more", func(s *registry.Session) error {
		return exchange.New(s).Retire(d.scenario.ctx, key, false)
	})
}

// destroy deletes the private key of a pair that was retired.
func (d *side) destroy(pair string) error {
	return d.agreed("it was retired 30 days ago", func(s *registry.Session) error {
		return s.MovePair(d.scenario.ctx, pair, registry.Destroyed, false)
	})
}

// renewal returns the renewal that a key has a part in.
func (d *side) renewal(key string) (n registry.Renewal, err error) {
	err = d.Store.View(d.scenario.ctx, func(tx registry.Reader) error {
		n, err = registry.FindRenewal(tx, key, d.other)
		return err
	})
	return n, err
}

// certificateOf returns the certificate of a pair.
func (d *side) certificateOf(pair string) (c registry.Certificate, err error) {
	err = d.Store.View(d.scenario.ctx, func(tx registry.Reader) error {
		k, err := tx.KeyPair(pair)
		if err != nil {
			return err
		}
		c, err = tx.Certificate(k.Certificate)
		return err
	})
	return c, err
}

// state returns the state of a pair, or of a certificate of the other company.
func (d *side) state(key string) (state registry.State, err error) {
	err = d.Store.View(d.scenario.ctx, func(tx registry.Reader) error {
		if exchange.IsKeyPair(key) {
			k, err := tx.KeyPair(key)
			state = k.State
			return err
		}
		c, err := tx.Certificate(key)
		state = c.State
		return err
	})
	return state, err
}

// refresh lets the gateway read what has changed, as one does each second.
func (d *side) refresh(ctx context.Context) error {
	version, err := d.Store.Version(ctx)
	switch {
	case err != nil:
	case d.snap == nil:
		d.snap, err = d.reader.Read(ctx, d.Time())
	case d.snap.Version != version:
		d.snap, _, err = d.reader.Refresh(ctx, d.snap, d.Time())
	}
	return err
}

// pass lets the gateway read what has changed, and report itself with the keys that it has used. Then the schedule
// does what is due.
func (d *side) pass(ctx context.Context) (renewal.Report, error) {
	if err := d.refresh(ctx); err != nil {
		return renewal.Report{}, err
	}
	const node, process = "gateway-1", "1"
	now := d.Time()
	written, err := d.usage.WriteKeys(ctx, d.Store, node, process, now, true)
	if err != nil {
		return renewal.Report{}, err
	}
	_, err = d.Store.ReportNode(ctx, lanes.Node{
		Name: node, Process: process, Record: d.snap.Version.Seq, Started: d.started, At: now,
		Counted: written.Counted, Serves: now.Add(time.Hour),
	}, false)
	if err != nil {
		return renewal.Report{}, err
	}
	return d.schedule.Pass(ctx)
}

// lane returns the lane that is in force in the gateway.
func (d *side) lane() (*sealane.Lane, error) { return d.snap.Lane(d.name()) }
