package operation

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealane/sealane"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// NewPartner is a partner with a first environment.
type NewPartner struct {
	Partner
	// ProfileSource is the text of a profile that is not embedded. It is added to the registry.
	ProfileSource []byte `json:"profile_source,omitempty"`
	// Environment is added too, if it has a name.
	Environment EnvironmentChange `json:"environment"`
}

// AddPartner adds a partner, with a first environment if one is named.
var AddPartner = changing("AddPartner", registry.ActionPartnerAdd,
	func(ctx context.Context, s *Session, in NewPartner) (PartnerDetails, error) {
		err := s.View(ctx, func(tx registry.Reader) error {
			_, err := tx.Partner(in.ID)
			return err
		})
		switch {
		case err == nil:
			return PartnerDetails{}, fmt.Errorf("partner %s: %w", in.ID, ErrExists)
		case !errors.Is(err, ErrNotFound):
			return PartnerDetails{}, err
		}
		if len(in.ProfileSource) > 0 {
			if in.Partner.Profile, err = s.AddProfile(ctx, in.ProfileSource); err != nil {
				return PartnerDetails{}, err
			}
		}
		if err := s.Session.AddPartner(ctx, in.Partner); err != nil {
			return PartnerDetails{}, err
		}
		if env := in.Environment; env.LaneName.Environment != "" {
			env.Partner = in.ID
			if _, err := SetEnvironment.Do(ctx, s, env); err != nil {
				return PartnerDetails{}, &EnvironmentError{in.ID, env.LaneName.Environment, err}
			}
		}
		return partnerDetails(ctx, &s.Viewer, in.ID)
	})

// EnvironmentError reports that a partner was added, but not its environment.
type EnvironmentError struct {
	Partner, Environment string

	err error
}

func (e *EnvironmentError) Error() string {
	return fmt.Sprintf("partner %s is added, but not its environment: %v", e.Partner, e.err)
}

func (e *EnvironmentError) Unwrap() error { return e.err }

// EnvironmentChange adds an environment, or changes it.
type EnvironmentChange struct {
	LaneName
	// Members that are nil stay as they are; of a new environment they are empty.
	Sealing       *sealane.Sealing    `json:"sealing,omitempty"`
	Caller        *sealane.SenderAuth `json:"caller,omitempty"`
	Account       *string             `json:"account,omitempty"`
	AcceptRSAOAEP *string             `json:"accept_rsa_oaep,omitempty"`
	MailFrom      *string             `json:"mail_from,omitempty"`
	MaxPayload    *int                `json:"max_payload,omitempty"`
	Approvals     *int                `json:"approvals,omitempty"`
}

// set sets what is to change.
func (c EnvironmentChange) set(env *Environment) error {
	assign(&env.Sealing, c.Sealing)
	assign(&env.SenderAuth, c.Caller)
	assign(&env.Account, c.Account)
	assign(&env.AcceptRSAOAEP, c.AcceptRSAOAEP)
	assign(&env.MailFrom, c.MailFrom)
	assign(&env.MaxPayload, c.MaxPayload)
	assign(&env.Approvals, c.Approvals)
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

// SetEnvironment adds an environment to a partner, or changes what was agreed for it.
var SetEnvironment = repeatable("SetEnvironment", registry.ActionEnvironmentChange,
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

// environment returns the row of an environment.
func environment(ctx context.Context, s *Session, name LaneName) (row Environment, err error) {
	err = s.View(ctx, func(tx registry.Reader) error {
		row, err = tx.Environment(name.Partner, name.Environment)
		return err
	})
	return row, err
}

// ContactChange is a contact of a lane.
type ContactChange struct {
	LaneName
	Contact
}

// Operations on contacts.
var (
	// SetContact adds a contact, or changes the name of the one with that role and address.
	SetContact = changing("SetContact", registry.ActionContactSet,
		func(ctx context.Context, s *Session, in ContactChange) (Contact, error) {
			return in.Contact, s.Session.SetContact(ctx, lanes.Name(in.LaneName), in.Contact)
		})

	// RemoveContact removes the contacts with that address.
	RemoveContact = changing("RemoveContact", registry.ActionContactRemove,
		func(ctx context.Context, s *Session, in ContactChange) (Contact, error) {
			return in.Contact, s.Session.RemoveContact(ctx, lanes.Name(in.LaneName), in.Email)
		})
)

// IssuedAPIKey is an API key with its token, which cannot be read again.
type IssuedAPIKey struct {
	APIKey
	Key string `json:"key"`
}

// NewAPIKey describes a new API key.
type NewAPIKey = registry.NewAPIKey

// Operations on API keys.
var (
	// IssueAPIKey makes an API key for a partner that calls us.
	IssueAPIKey = changing("IssueAPIKey", registry.ActionAPIKeyIssue,
		func(ctx context.Context, s *Session, in NewAPIKey) (out IssuedAPIKey, err error) {
			out.APIKey, out.Key, err = s.Session.IssueAPIKey(ctx, in)
			return out, err
		})

	// RevokeAPIKey ends the use of an API key.
	RevokeAPIKey = changing("RevokeAPIKey", registry.ActionAPIKeyRevoke,
		func(ctx context.Context, s *Session, in ID) (None, error) {
			return None{}, s.Session.RevokeAPIKey(ctx, in.ID)
		})
)

// Page is a part of a list.
type Page = registry.Page

// PartnerList is a page of partners.
type PartnerList struct {
	Partners []Partner `json:"partners"`
	More     string    `json:"more,omitempty"` // After of the next page
}

// ListPartners lists partners.
var ListPartners = reading("ListPartners", listPartners)

func listPartners(ctx context.Context, v *registry.Viewer, in Page) (out PartnerList, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		if out.Partners, err = tx.Partners(in); err != nil || len(out.Partners) == 0 {
			return err
		}
		last := out.Partners[len(out.Partners)-1].ID
		more, err := tx.Partners(registry.Page{After: last, Limit: 1})
		if len(more) > 0 {
			out.More = last
		}
		return err
	})
	return out, err
}

// PartnerDetails holds a partner with everything that belongs to it.
type PartnerDetails struct {
	Partner
	Environments []EnvironmentDetails `json:"environments"`
}

// EnvironmentDetails holds an environment with everything that belongs to it.
type EnvironmentDetails struct {
	Environment
	APIKeys      []APIKey            `json:"api_keys"`
	Certificates []exchange.Standing `json:"certificates"`
}

// PartnerName names a partner.
type PartnerName struct {
	Partner string `json:"partner"`
}

// ShowPartner returns a partner with its environments, contacts, API keys and certificates.
var ShowPartner = reading("ShowPartner",
	func(ctx context.Context, v *registry.Viewer, in PartnerName) (PartnerDetails, error) {
		return partnerDetails(ctx, v, in.Partner)
	})

func partnerDetails(ctx context.Context, v *registry.Viewer, id string) (p PartnerDetails, err error) {
	err = v.View(ctx, func(tx registry.Reader) (err error) {
		if p.Partner, err = tx.Partner(id); err != nil {
			return fmt.Errorf("partner %q: %w", id, err)
		}
		environments, err := tx.Environments(id)
		p.Environments = nil
		for _, env := range environments {
			details := EnvironmentDetails{Environment: env}
			if details.APIKeys, err = tx.APIKeys(env.Partner, env.Name); err != nil {
				return err
			}
			p.Environments = append(p.Environments, details)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	for i := range p.Environments {
		env := &p.Environments[i]
		env.Certificates, err = exchange.Status(ctx, v, lanes.Name{Partner: p.ID, Environment: env.Name})
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// Table names a file with partners and certificates.
type Table struct {
	File string `json:"file"`
}

// ImportResult is the result of importing one row of a table.
type ImportResult = exchange.RowResult

// ImportPartners imports the rows of a table while the sequence is ranged over.
var ImportPartners = changing("ImportPartners", registry.ActionPartnerAdd,
	func(ctx context.Context, s *Session, in Table) (iter.Seq2[ImportResult, error], error) {
		return exchange.New(s.Session).ImportCSV(ctx, in.File), nil
	})
