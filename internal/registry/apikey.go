package registry

import (
	"context"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
)

// APIKey is a key by which a partner's calls are known. The token is shown once, when it is
// made; what is stored is its SHA-256.
type APIKey struct {
	ID          string          `json:"id"`
	Partner     string          `json:"partner"`
	Environment string          `json:"environment"`
	Label       string          `json:"label,omitempty"`
	Prefix      string          `json:"prefix"` // the key's first characters, by which people tell keys apart
	SHA256      []byte          `json:"-"`
	Sealing     sealane.Sealing `json:"sealing"`
	Created     time.Time       `json:"created"`
	Revoked     time.Time       `json:"revoked,omitzero"`
	LastUsed    time.Time       `json:"last_used,omitzero"` // to the minute
	Version     int64           `json:"-"`
}

// NewAPIKey describes an API key to be made.
type NewAPIKey struct {
	Partner, Environment string

	Label   string          // may be empty
	Sealing sealane.Sealing // must be given
}

// IssueAPIKey makes a key by which a partner's calls are known. The token can't be read
// again.
func (s *Session) IssueAPIKey(ctx context.Context, wanted NewAPIKey) (k APIKey, token string, err error) {
	k = APIKey{ID: newID("a"), Partner: wanted.Partner, Environment: wanted.Environment}
	k.Label, k.Sealing = wanted.Label, wanted.Sealing
	entry := Entry{
		Action: ActionAPIKeyIssue, Subject: "apikey/" + k.ID, Partner: k.Partner, Environment: k.Environment,
	}
	err = s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		env, err := FindEnvironment(tx, lanes.Name{Partner: k.Partner, Environment: k.Environment})
		if err != nil {
			return err
		}
		p, err := tx.Partner(k.Partner)
		if err != nil {
			return err
		}
		if p.Side != sealane.ServerSide {
			return Refuse("partner %s is called by us: its API key is theirs to issue", p.ID)
		}
		prof, err := LoadProfile(tx, p.Profile)
		if err != nil {
			return err
		}
		if k.Sealing != sealane.SealingRequired && k.Sealing != sealane.SealingOptional {
			return Refuse("API key for %s: say whether sealing is %s or %s",
				p.ID, sealane.SealingRequired, sealane.SealingOptional)
		}
		config := lanes.Config(p.laneRow(), env.laneRow(), prof)
		config.Sealing = k.Sealing
		if _, err := sealane.New(config); err != nil {
			return err
		}
		k.Created = s.registry.now()
		token, k.Prefix, k.SHA256 = newToken("api")
		entry.After = k
		return tx.PutAPIKey(&k)
	})
	return k, token, err
}

// RevokeAPIKey ends the use of a key.
func (s *Session) RevokeAPIKey(ctx context.Context, id string) error {
	return s.Change(ctx, Entry{Action: ActionAPIKeyRevoke, Subject: "apikey/" + id}, func(tx Tx, entry *Entry) error {
		k, err := tx.APIKey(id)
		if err != nil {
			return err
		}
		if !k.Revoked.IsZero() {
			return Refuse("API key %s was revoked on %s", id, k.Revoked.Format(time.DateOnly))
		}
		entry.Before, entry.Partner, entry.Environment = k, k.Partner, k.Environment
		k.Revoked = s.registry.now()
		entry.After = k
		return tx.PutAPIKey(&k)
	})
}

// LabelAPIKey changes the label of a key.
func (s *Session) LabelAPIKey(ctx context.Context, id, label string) error {
	return s.Change(ctx, Entry{Action: ActionAPIKeyLabel, Subject: "apikey/" + id}, func(tx Tx, entry *Entry) error {
		k, err := tx.APIKey(id)
		if err != nil {
			return err
		}
		entry.Before, entry.Partner, entry.Environment = k, k.Partner, k.Environment
		k.Label = label
		entry.After = k
		return tx.PutAPIKey(&k)
	})
}
