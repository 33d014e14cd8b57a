package operation

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// NewPartner is a partner with what it needs.
type NewPartner struct {
	Partner
	// ProfileSource is the text of a profile that is not in the registry yet.
	ProfileSource []byte `json:"profile_source,omitempty"`
	// Environment is added too, if it has a name.
	Environment EnvironmentChange `json:"environment"`
}

// AddPartner adds a partner, its profile and its first environment. All is added, or nothing.
var AddPartner = repeatable("AddPartner", registry.ActionPartnerAdd,
	func(ctx context.Context, s *Session, in NewPartner) (PartnerDetails, error) {
		n := registry.NewPartner{Partner: in.Partner, ProfileSource: in.ProfileSource}
		n.Environment = Environment{Name: in.Environment.LaneName.Environment}
		if err := in.Environment.set(&n.Environment); err != nil {
			return PartnerDetails{}, err
		}
		if err := s.AddPartnerWith(ctx, n); err != nil {
			return PartnerDetails{}, err
		}
		return partnerDetails(ctx, &s.Viewer, in.ID)
	})

// PartnerRename is a partner's new full name.
type PartnerRename struct {
	Partner string `json:"partner"`
	Name    string `json:"name"`
}

// Operations on one partner.
var (
	// RenamePartner changes a partner's full name.
	RenamePartner = changing("RenamePartner", registry.ActionPartnerChange,
		func(ctx context.Context, s *Session, in PartnerRename) (Partner, error) {
			return s.partnerAfter(ctx, in.Partner, s.Session.RenamePartner(ctx, in.Partner, in.Name))
		})

	// ArchivePartner hides a partner of whom nothing is in use, and refuses new work for it.
	ArchivePartner = changing("ArchivePartner", registry.ActionPartnerArchive,
		func(ctx context.Context, s *Session, in PartnerName) (Partner, error) {
			return s.partnerAfter(ctx, in.Partner, s.Session.ArchivePartner(ctx, in.Partner))
		})

	// RestorePartner brings an archived partner back.
	RestorePartner = changing("RestorePartner", registry.ActionPartnerRestore,
		func(ctx context.Context, s *Session, in PartnerName) (Partner, error) {
			return s.partnerAfter(ctx, in.Partner, s.Session.RestorePartner(ctx, in.Partner))
		})

	// RemovePartner removes a partner that was never used, with its environments.
	RemovePartner = changing("RemovePartner", registry.ActionPartnerRemove,
		func(ctx context.Context, s *Session, in PartnerName) (PartnerName, error) {
			return in, s.Session.RemovePartner(ctx, in.Partner)
		})

	// RemoveEnvironment removes an environment that was never used.
	RemoveEnvironment = changing("RemoveEnvironment", registry.ActionEnvironmentRemove,
		func(ctx context.Context, s *Session, in LaneName) (LaneName, error) {
			return in, s.Session.RemoveEnvironment(ctx, lanes.Name(in))
		})
)

// partnerAfter returns a partner after a change, or the change's error.
func (s *Session) partnerAfter(ctx context.Context, id string, err error) (p Partner, _ error) {
	if err != nil {
		return p, err
	}
	err = s.View(ctx, func(tx registry.Reader) error {
		p, err = tx.Partner(id)
		return err
	})
	return p, err
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

	// EditContact changes the role, name or address of a contact.
	EditContact = changing("EditContact", registry.ActionContactChange,
		func(ctx context.Context, s *Session, in ContactEdit) (Contact, error) {
			return s.ChangeContact(ctx, lanes.Name(in.LaneName), in.Which, func(c *Contact) {
				c.Role, c.Email = cmp.Or(in.Role, c.Role), cmp.Or(in.Email, c.Email)
				if in.Name != nil {
					c.Name = *in.Name
				}
			})
		})

	// RemoveContact removes the contacts with an address: the one with a role, or all.
	RemoveContact = changing("RemoveContact", registry.ActionContactRemove,
		func(ctx context.Context, s *Session, in ContactOf) (ContactOf, error) {
			return in, s.Session.RemoveContact(ctx, lanes.Name(in.LaneName), in.Which)
		})

	// TakeContacts adds the contacts that the partner's file names, with which an approved
	// certificate came in.
	TakeContacts = changing("TakeContacts", registry.ActionContactSet,
		func(ctx context.Context, s *Session, in ID) (TakenContacts, error) {
			lane, added, err := exchange.New(s.Session).TakeContacts(ctx, in.ID)
			return TakenContacts{LaneName(lane), added}, err
		})
)

// ContactOf names contacts of a lane.
type ContactOf struct {
	LaneName
	Which registry.ContactName `json:"which"`
}

// ContactEdit says what becomes of a contact. Empty fields leave a fact as it is.
type ContactEdit struct {
	ContactOf
	Role  registry.ContactRole `json:"role,omitempty"`
	Email string               `json:"email,omitempty"`
	Name  *string              `json:"name,omitempty"`
}

// TakenContacts are contacts that were added.
type TakenContacts struct {
	LaneName
	Added []Contact `json:"added"`
}

// IssuedAPIKey is an API key with its token, which cannot be read again.
type IssuedAPIKey struct {
	APIKey
	Key string `json:"key"`
}

// NewAPIKey describes a new API key.
type NewAPIKey = registry.NewAPIKey

// ImportedAPIKey is an API key that a partner has already.
type ImportedAPIKey struct {
	NewAPIKey
	Key string `json:"-"`
}

// ConvertedAPIKeys is the result of a conversion.
type ConvertedAPIKeys = registry.ConvertedAPIKeys

// Operations on API keys.
var (
	// IssueAPIKey makes an API key for a partner that calls us.
	IssueAPIKey = withKeys("IssueAPIKey", registry.ActionAPIKeyIssue,
		func(ctx context.Context, s *Session, in NewAPIKey) (out IssuedAPIKey, err error) {
			out.APIKey, out.Key, err = s.Session.IssueAPIKey(ctx, in)
			return out, err
		})

	// ImportAPIKey takes over an API key that a partner has already.
	ImportAPIKey = withKeys("ImportAPIKey", registry.ActionAPIKeyImport,
		func(ctx context.Context, s *Session, in ImportedAPIKey) (APIKey, error) {
			return s.Session.ImportAPIKey(ctx, in.NewAPIKey, in.Key)
		})

	// ConvertAPIKeys converts the API keys that an earlier version has stored.
	ConvertAPIKeys = withKeys("ConvertAPIKeys", registry.ActionAPIKeyConvert,
		func(ctx context.Context, s *Session, _ None) (ConvertedAPIKeys, error) {
			return s.Session.ConvertAPIKeys(ctx)
		})

	// LabelAPIKey changes the label of an API key.
	LabelAPIKey = changing("LabelAPIKey", registry.ActionAPIKeyLabel,
		func(ctx context.Context, s *Session, in APIKeyLabel) (APIKeyLabel, error) {
			return in, s.Session.LabelAPIKey(ctx, in.ID, in.Label)
		})

	// RevokeAPIKey ends the use of an API key.
	RevokeAPIKey = changing("RevokeAPIKey", registry.ActionAPIKeyRevoke,
		func(ctx context.Context, s *Session, in ID) (None, error) {
			return None{}, s.Session.RevokeAPIKey(ctx, in.ID)
		})
)

// APIKeyLabel is the label of an API key.
type APIKeyLabel struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// Page is a part of a list.
type Page = registry.Page

// PartnerQuery asks for a page of partners.
type PartnerQuery struct {
	After    string `json:"after,omitempty"` // begin after this partner
	Limit    int    `json:"limit,omitempty"`
	Archived bool   `json:"archived,omitempty"` // with those that are archived
}

// PartnerList is a page of partners.
type PartnerList struct {
	Partners []Partner `json:"partners"`
	More     string    `json:"more,omitempty"` // After of the next page
	Damage
}

// ListPartners lists partners.
var ListPartners = reading("ListPartners", listPartners)

func listPartners(ctx context.Context, v *registry.Viewer, in PartnerQuery) (out PartnerList, err error) {
	q := registry.PartnerQuery{Page: registry.Page{After: in.After, Limit: in.Limit}, NotArchived: !in.Archived}
	err = v.View(ctx, func(tx registry.Reader) error {
		partners, damaged, err := registry.Readable(tx.PartnersLike(q))
		if err != nil {
			return err
		}
		out.Partners = partners
		out.lack(damaged)
		last := lastOf(partners, func(p Partner) string { return p.ID }, damaged)
		if last == "" {
			return nil
		}
		q.Page = registry.Page{After: last, Limit: 1}
		more, damaged, err := registry.Readable(tx.PartnersLike(q))
		if len(more)+len(damaged) > 0 {
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
	Damage
}

// EnvironmentDetails holds an environment with everything that belongs to it.
type EnvironmentDetails struct {
	Environment
	APIKeys      []APIKey `json:"api_keys"`
	Certificates []Used   `json:"certificates"`
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
			return err
		}
		environments, damaged, err := registry.Readable(tx.Environments(id))
		if err != nil {
			return err
		}
		p.Environments = nil
		p.lack(damaged)
		for _, env := range environments {
			details := EnvironmentDetails{Environment: env}
			details.APIKeys, damaged, err = registry.Readable(tx.APIKeys(env.Partner, env.Name))
			if err != nil {
				return err
			}
			p.lack(damaged)
			p.Environments = append(p.Environments, details)
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	for i := range p.Environments {
		env := &p.Environments[i]
		env.Certificates, err = standings(ctx, v, lanes.Name{Partner: p.ID, Environment: env.Name})
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// Table names a file with partners and certificates.
type Table struct {
	File string `json:"file"`
	// DryRun stores nothing. Each row is tried with the registry as it is, without the rows before.
	DryRun bool `json:"dry_run,omitempty"`
}

// ImportResult is the result of importing one row of a table.
type ImportResult = exchange.RowResult

// ImportPartners imports the rows of a table while the sequence is ranged over. A row whose
// environment needs a second person makes the request that SetEnvironment would.
var ImportPartners = changing("ImportPartners", registry.ActionPartnerAdd,
	func(ctx context.Context, s *Session, in Table) (iter.Seq2[ImportResult, error], error) {
		rows := exchange.New(s.Session).ImportCSV(ctx, in.File, in.DryRun)
		return func(yield func(ImportResult, error) bool) {
			for r, err := range rows {
				if r.Second != nil && !in.DryRun {
					s.requestRow(ctx, &r)
				}
				if !yield(r, err) {
					return
				}
			}
		}, nil
	})

// requestRow makes the request of a row that waits for a second person.
func (s *Session) requestRow(ctx context.Context, r *ImportResult) {
	env := r.Waits
	in := EnvironmentChange{LaneName: LaneName{env.Partner, env.Name}, Sealing: &env.Sealing}
	if env.SenderAuth != "" {
		in.Caller = &env.SenderAuth
	}
	if env.Account != "" {
		in.Account = &env.Account
	}
	err := s.request(ctx, setEnvironment, in, r.Second)
	if pending, is := errors.AsType[*PendingError](err); is {
		r.Request = pending.Request.ID
	} else {
		r.Second = nil // nobody could approve it
	}
	r.Error = err.Error()
}
