package registry

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
)

// ConvertedAPIKeys is the result of ConvertAPIKeys.
type ConvertedAPIKeys struct {
	Converted int `json:"converted"` // API keys that have their HMAC now
	Cleared   int `json:"cleared"`   // API keys whose SHA-256 was removed
	// Unknown are API keys that nobody can use: they came into the database after the conversion, by
	// a program of the version before or by hand.
	Unknown []string `json:"unknown,omitempty"`
}

// ConvertAPIKeys makes the registry's [lanes.HashKey], and converts all API keys that an earlier
// version has stored. That happens once, in one transaction; each row must be as its last record has
// it. Later calls remove the SHA-256 of these API keys, which programs of the version before need.
func (s *Session) ConvertAPIKeys(ctx context.Context) (out ConvertedAPIKeys, err error) {
	if err := s.May(ActionAPIKeyConvert); err != nil {
		return out, err
	}
	if s.registry.Root == nil {
		return out, Refuse("API keys are stored with a key that the root key encrypts").Needing(RootKey)
	}
	var verified map[string][sha256.Size]byte // the rows, by identity
	made := false
	err = s.View(ctx, func(tx Reader) error {
		sealed, err := tx.Setting(SettingHashKey)
		if made = len(sealed) > 0; made || err != nil {
			return err
		}
		verified, err = verifiedAPIKeys(ctx, tx)
		return err
	})
	if err != nil {
		return out, err
	}
	conversion := converter{s: s, verified: verified, made: made}
	err = s.changes(ctx, Entry{Action: ActionAPIKeyConvert, Subject: "apikeys"}, conversion.page)
	return conversion.out, err
}

// converter converts page by page, each with a record.
type converter struct {
	s        *Session
	verified map[string][sha256.Size]byte
	made     bool // there is a HashKey already
	key      *lanes.HashKey
	after    string
	out      ConvertedAPIKeys
}

// convertedPage is how many API keys one record has.
const convertedPage = 500

func (c *converter) page(tx Tx, entry *Entry) (more bool, err error) {
	if c.key == nil {
		if err := c.begin(tx); err != nil {
			return false, err
		}
	}
	keys, err := tx.APIKeysAfter(Page{After: c.after, Limit: convertedPage})
	if err != nil {
		return false, err
	}
	before := c.out
	for _, k := range keys {
		if err := c.convert(tx, &k); err != nil {
			return false, err
		}
		c.after = k.ID
	}
	entry.After = map[string]any{
		"converted": c.out.Converted - before.Converted, "cleared": c.out.Cleared - before.Cleared,
	}
	return len(keys) == convertedPage, nil
}

// begin makes the HashKey, or opens it.
func (c *converter) begin(tx Tx) (err error) {
	r := c.s.registry
	sealed, err := tx.Setting(SettingHashKey)
	switch {
	case err != nil:
		return err
	case c.made != (len(sealed) > 0):
		return ErrConflict // another program was first
	case c.made:
		c.key, err = r.openHashKey(sealed)
		return err
	}
	if err := rootIs(tx, r.Root.Newest(), false); err != nil {
		return err
	}
	c.key, err = makeHashKey(tx, r.Root)
	return err
}

func (c *converter) convert(tx Tx, k *APIKey) error {
	switch {
	case len(k.HMAC) > 0 && len(k.SHA256) == 0:
		return nil
	case len(k.HMAC) > 0:
		k.SHA256 = nil
		c.out.Cleared++
	case c.made:
		if k.Revoked.IsZero() && len(c.out.Unknown) < maxRowFindings {
			c.out.Unknown = append(c.out.Unknown, k.ID)
		}
		return nil
	case len(k.SHA256) != sha256.Size:
		return nil // it identifies nobody
	default:
		_, form, _, err := recordedRow(*k)
		if err != nil {
			return err
		}
		if c.verified[k.ID] != sha256.Sum256(form) {
			return Refuse("API key %s was stored meanwhile: %w", k.ID, ErrConflict)
		}
		sum := c.key.TokenSHA256(k.SHA256)
		if k.HMAC = sum[:]; k.Revoked.IsZero() {
			k.bind(c.key)
		}
		c.out.Converted++
	}
	return tx.PutAPIKey(k)
}

// verifiedAPIKeys returns what the rows of all API keys are, after they and the audit log were
// verified: a row that somebody has put into the database must not become an API key.
func verifiedAPIKeys(ctx context.Context, tx Reader) (map[string][sha256.Size]byte, error) {
	chain, err := audit.Verify(ctx, tx, nil)
	if err != nil {
		return nil, err
	}
	if !chain.Holds {
		return nil, Refuse("the audit log does not hold, so nothing shows that the API keys are real: verify it")
	}
	v := rowVerifier{tx: tx, last: map[rowName]lastRecord{}, between: map[rowName]RowFinding{}}
	if err := v.readLog(ctx); err != nil {
		return nil, err
	}
	if _, once := v.last[nameOf("setting", SettingHashKey)]; once {
		return nil, Refuse("the API keys were converted before, and the key of their HMACs was removed from the " +
			"database: restore the registry from a backup, or issue new API keys in a new registry")
	}
	if err := v.readRows(ctx); err != nil {
		return nil, err
	}
	if err := v.explain(); err != nil {
		return nil, err
	}
	report := v.finish()
	if report.More > 0 {
		return nil, Refuse("too many rows are not as they were recorded: verify the rows first")
	}
	for _, f := range report.Findings {
		if f.Fault == RowsWithout || strings.HasPrefix(f.Row, "apikey/") {
			return nil, Refuse("an API key is not as it was recorded: %s: find out why, and revoke it or accept "+
				"the row", f.Text)
		}
	}
	sums := map[string][sha256.Size]byte{}
	for q := (Page{Limit: 1000}); ; {
		keys, err := tx.APIKeysAfter(q)
		if err != nil || len(keys) == 0 {
			return sums, err
		}
		for _, k := range keys {
			_, form, _, err := recordedRow(k)
			if err != nil {
				return nil, err
			}
			sums[k.ID] = sha256.Sum256(form)
			q.After = k.ID
		}
	}
}
