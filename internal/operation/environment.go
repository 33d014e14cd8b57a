package operation

import (
	"context"
	"errors"

	"github.com/sealane/sealane"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// EnvironmentChange adds an environment, or changes it.
type EnvironmentChange struct {
	LaneName
	// Members that are nil stay as they are; of a new environment they are empty.
	Sealing       *sealane.Sealing    `json:"sealing,omitempty"`
	Caller        *sealane.SenderAuth `json:"caller,omitempty"`
	Account       *string             `json:"account,omitempty"`
	AcceptRSAOAEP *string             `json:"accept_rsa_oaep,omitempty"`
	Expired       *sealane.Expired    `json:"expired,omitempty"`
	NoResend      *string             `json:"no_resend,omitempty"`
	MailFrom      *string             `json:"mail_from,omitempty"`
	MaxPayload    *int                `json:"max_payload,omitempty"`
	Approvals     *int                `json:"approvals,omitempty"`
	// Limits of gateways. Rates are texts such as 100/s; "none" and 0 remove a limit.
	Rate     *string `json:"rate,omitempty"`
	Burst    *int    `json:"burst,omitempty"`
	InFlight *int    `json:"in_flight,omitempty"`
	Failures *string `json:"failures,omitempty"`
	RotationChange
}

// set sets what is to change.
func (c EnvironmentChange) set(env *Environment) error {
	assign(&env.Sealing, c.Sealing)
	assign(&env.SenderAuth, c.Caller)
	assign(&env.Account, c.Account)
	assign(&env.AcceptRSAOAEP, c.AcceptRSAOAEP)
	assign(&env.Expired, c.Expired)
	assign(&env.NoResend, c.NoResend)
	assign(&env.MailFrom, c.MailFrom)
	assign(&env.MaxPayload, c.MaxPayload)
	assign(&env.Approvals, c.Approvals)
	if err := c.setRotation(&env.Rotation); err != nil {
		return err
	}
	return c.setLimits(&env.Limits)
}

// setLimits sets what is to change of the limits. A burst goes with its rate.
func (c EnvironmentChange) setLimits(l *lanes.Limits) error {
	for _, one := range []struct {
		name string
		text *string
		to   *lanes.Rate
	}{{"rate", c.Rate, &l.Rate}, {"failures", c.Failures, &l.Failures}} {
		switch {
		case one.text == nil:
		case *one.text == "none":
			*one.to = 0
		default:
			var err error
			if *one.to, err = lanes.ParseRate(*one.text); err != nil {
				return registry.Refuse("%s %w; none removes the limit", one.name, err)
			}
		}
	}
	if l.Rate == 0 {
		l.Burst = 0
	}
	assign(&l.Burst, c.Burst)
	assign(&l.InFlight, c.InFlight)
	return nil
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// ChangedEnvironment is an environment after a change.
type ChangedEnvironment struct {
	Environment
	Added bool `json:"added"` // it was not there before
}

const setEnvironment = "SetEnvironment"

// SetEnvironment adds an environment to a partner, or changes what was agreed for it.
var SetEnvironment = repeatable(setEnvironment, registry.ActionEnvironmentChange,
	func(ctx context.Context, s *Session, in EnvironmentChange) (out ChangedEnvironment, err error) {
		stored := func() (row Environment, err error) {
			err = s.View(ctx, func(tx registry.Reader) error {
				row, err = tx.Environment(in.Partner, in.LaneName.Environment)
				return err
			})
			return row, err
		}
		row, err := stored()
		switch {
		case errors.Is(err, ErrNotFound):
			out.Added = true
			added := Environment{Partner: in.Partner, Name: in.LaneName.Environment}
			if err = in.set(&added); err == nil {
				err = s.AddEnvironment(ctx, added)
			}
		case err == nil:
			err = s.ChangeEnvironment(ctx, row, in.set)
		}
		if err != nil {
			return out, err
		}
		out.Environment, err = stored()
		return out, err
	})

// URLChange is where a partner takes the requests of an environment.
type URLChange struct {
	LaneName
	URL string `json:"url"`
}

// SetURL sets where a partner takes requests.
var SetURL = repeatable("SetURL", registry.ActionURLSet,
	func(ctx context.Context, s *Session, in URLChange) (Environment, error) {
		if err := s.Session.SetURL(ctx, lanes.Name(in.LaneName), in.URL); err != nil {
			return Environment{}, err
		}
		return environment(ctx, s, in.LaneName)
	})

// RemoveURL removes the URL of an environment.
var RemoveURL = changing("RemoveURL", registry.ActionURLSet,
	func(ctx context.Context, s *Session, in LaneName) (Environment, error) {
		if err := s.Session.RemoveURL(ctx, lanes.Name(in)); err != nil {
			return Environment{}, err
		}
		return environment(ctx, s, in)
	})

// environment returns the row of an environment.
func environment(ctx context.Context, s *Session, name LaneName) (row Environment, err error) {
	err = s.View(ctx, func(tx registry.Reader) error {
		row, err = tx.Environment(name.Partner, name.Environment)
		return err
	})
	return row, err
}

// RaiseApprovals makes two people decide in an environment. Anybody may do that.
var RaiseApprovals = changing("RaiseApprovals", registry.ActionApprovalsRaise,
	func(ctx context.Context, s *Session, in LaneName) (LaneName, error) {
		return in, s.Session.RaiseApprovals(ctx, lanes.Name(in))
	})
