package registry

import (
	"context"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
)

// APIKey is a key by which a partner's calls are known. What is stored is an HMAC of it, and a MAC
// that binds this to the row, see [lanes.HashKey].
type APIKey struct {
	ID          string          `json:"id"`
	Partner     string          `json:"partner"`
	Environment string          `json:"environment"`
	Label       string          `json:"label,omitempty"`
	Prefix      string          `json:"prefix"` // the key's first characters, by which people tell keys apart
	SHA256      []byte          `json:"-"`      // as an earlier version stored it; identifies nobody
	HMAC        []byte          `json:"-"`
	Binding     []byte          `json:"-"` // empty once it is revoked
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
	k, err = s.addAPIKey(ctx, ActionAPIKeyIssue, wanted, func(_ Tx, k *APIKey, hash *lanes.HashKey) error {
		token, k.Prefix, _ = newToken("api")
		sum := hash.Token(token)
		k.HMAC = sum[:]
		return nil
	})
	return k, token, err
}

// addAPIKey stores an API key, of which set says what it is.
func (s *Session) addAPIKey(
	ctx context.Context, action Action, wanted NewAPIKey, set func(Tx, *APIKey, *lanes.HashKey) error,
) (APIKey, error) {
	k := APIKey{
		ID: newID("a"), Partner: wanted.Partner, Environment: wanted.Environment, Label: wanted.Label,
		Sealing: wanted.Sealing,
	}
	entry := Entry{Action: action, Subject: "apikey/" + k.ID, Partner: k.Partner, Environment: k.Environment}
	err := s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		if err := checkAPIKey(tx, k); err != nil {
			return err
		}
		hash, err := s.registry.hashKey(tx)
		if err != nil {
			return err
		}
		if err := set(tx, &k, hash); err != nil {
			return err
		}
		k.Created = s.registry.now()
		k.bind(hash)
		entry.After = k
		return tx.PutAPIKey(&k)
	})
	return k, err
}

// checkAPIKey refuses an API key for a lane that can't have one.
func checkAPIKey(tx Reader, k APIKey) error {
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
	_, err = sealane.New(config)
	return err
}

// RevokeAPIKey ends the use of a key. The row loses its MAC, so that nobody can undo it in the database.
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
		k.Revoked, k.Binding = s.registry.now(), nil
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

// APIKeyOf returns the API key with a token. The error is ErrNotFound if there is none, and a refusal
// if that can't be said.
func (v *Viewer) APIKeyOf(tx Reader, token string) (APIKey, error) {
	hash, err := v.registry.hashKey(tx)
	if err != nil {
		return APIKey{}, err
	}
	sum := hash.Token(token)
	return tx.APIKeyByHMAC(sum[:])
}
