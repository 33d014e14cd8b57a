package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

const selectPartner = "SELECT id, name, profile, side, version, body FROM partner"

func readPartner(row scan) (p registry.Partner, err error) {
	var c registry.Partner
	var side, rest string
	if err = row(&c.ID, &c.Name, &c.Profile, &side, &c.Version, &rest); err == nil {
		err = json.Unmarshal([]byte(rest), &p)
	}
	if err == nil {
		err = p.Side.UnmarshalText([]byte(side))
	}
	p.ID, p.Name, p.Profile, p.Version = c.ID, c.Name, c.Profile, c.Version
	return p, err
}

func (t *tx) Partner(id string) (registry.Partner, error) {
	return one(t, fmt.Sprintf("partner %q", id), readPartner, selectPartner+" WHERE id = ?", id)
}

func (t *tx) Partners(page registry.Page) ([]registry.Partner, error) {
	return list(t, "partners", readPartner, selectPartner+" WHERE id > ? ORDER BY id LIMIT ?", page.After, limit(page))
}

func limit(page registry.Page) int {
	switch {
	case page.Limit <= 0:
		return 100
	case page.Limit > 1000:
		return 1000
	}
	return page.Limit
}

func (t *tx) PutPartner(p *registry.Partner) error {
	what := fmt.Sprintf("partner %q", p.ID)
	rest := *p
	rest.ID, rest.Name, rest.Profile = "", "", ""
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	args := []any{p.Name, p.Profile, string(p.Side), text, p.ID}
	if p.Version == 0 {
		n, err := t.exec(what, "INSERT INTO partner (name, profile, side, body, id, version) VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING", args...)
		err = inserted(what, n, err)
		return counted(&p.Version, err)
	}
	n, err := t.exec(what, "UPDATE partner SET name = ?, profile = ?, side = ?, body = ?, version = version + 1 WHERE id = ? AND version = ?",
		append(args, p.Version)...)
	err = updated(what, n, err)
	return counted(&p.Version, err)
}

// counted counts a version up where its row was stored.
func counted(version *int64, err error) error {
	if err == nil {
		*version++
	}
	return err
}

const selectEnvironment = `SELECT partner, name, COALESCE(account, ''), sealing, caller, accept_rsa_oaep, max_payload, version, body
	FROM environment`

func readEnvironment(row scan) (e registry.Environment, err error) {
	var c registry.Environment
	var rest string
	err = row(&c.Partner, &c.Name, &c.Account, &c.Sealing, &c.SenderAuth, &c.AcceptRSAOAEP, &c.MaxPayload, &c.Version, &rest)
	if err == nil {
		err = json.Unmarshal([]byte(rest), &e)
	}
	e.Partner, e.Name, e.Account, e.Sealing, e.SenderAuth = c.Partner, c.Name, c.Account, c.Sealing, c.SenderAuth
	e.AcceptRSAOAEP, e.MaxPayload, e.Version = c.AcceptRSAOAEP, c.MaxPayload, c.Version
	return e, ofRow(c.Partner+"/"+c.Name, err)
}

func (t *tx) Environment(partner, name string) (registry.Environment, error) {
	return one(t, fmt.Sprintf("environment %s of partner %q", name, partner), readEnvironment,
		selectEnvironment+" WHERE partner = ? AND name = ?", partner, name)
}

func (t *tx) Environments(partner string) ([]registry.Environment, error) {
	return list(t, fmt.Sprintf("environments of partner %q", partner), readEnvironment,
		selectEnvironment+" WHERE partner = ? ORDER BY name", partner)
}

func (t *tx) EnvironmentOfAccount(account string) (registry.Environment, error) {
	return one(t, fmt.Sprintf("account %q", account), readEnvironment, selectEnvironment+" WHERE account = ?", account)
}

func (t *tx) PutEnvironment(e *registry.Environment) error {
	what := fmt.Sprintf("environment %s of partner %q", e.Name, e.Partner)
	rest := *e
	rest.Partner, rest.Name, rest.Account, rest.Sealing, rest.SenderAuth, rest.AcceptRSAOAEP, rest.MaxPayload = "", "", "", "", "", "", 0
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	// Asked first: a violation would end a transaction of PostgreSQL. Nobody else
	// writes meanwhile.
	if e.Account != "" {
		other, err := list(t, what, readEnvironment,
			selectEnvironment+" WHERE account = ? AND NOT (partner = ? AND name = ?)", e.Account, e.Partner, e.Name)
		if err != nil {
			return err
		}
		if len(other) > 0 {
			return fmt.Errorf("%s: the account %q is of %s of partner %q: %w", what, e.Account, other[0].Name, other[0].Partner, registry.ErrExists)
		}
	}
	args := []any{null(e.Account), string(e.Sealing), string(e.SenderAuth), e.AcceptRSAOAEP, e.MaxPayload, text, e.Partner, e.Name}
	if e.Version == 0 {
		n, err := t.exec(what, `INSERT INTO environment
			(account, sealing, caller, accept_rsa_oaep, max_payload, body, partner, name, version)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`, args...)
		err = inserted(what, n, err)
		return counted(&e.Version, err)
	}
	n, err := t.exec(what, `UPDATE environment SET account = ?, sealing = ?, caller = ?, accept_rsa_oaep = ?, max_payload = ?,
		body = ?, version = version + 1 WHERE partner = ? AND name = ? AND version = ?`, append(args, e.Version)...)
	err = updated(what, n, err)
	return counted(&e.Version, err)
}

const selectAPIKey = "SELECT k.id, k.partner, k.environment, k.sha256, k.sealing, k.version, k.body, u.at FROM api_key k LEFT JOIN api_key_use u ON u.id = k.id"

func readAPIKey(row scan) (k registry.APIKey, err error) {
	var id, partner, environment, sealing, rest string
	var sum []byte
	var version int64
	var used *int64
	if err = row(&id, &partner, &environment, bytesInto{&sum}, &sealing, &version, &rest, &used); err == nil {
		err = json.Unmarshal([]byte(rest), &k)
	}
	k.ID, k.Partner, k.Environment, k.SHA256, k.Sealing, k.Version = id, partner, environment, sum, sealane.Sealing(sealing), version
	if used != nil {
		k.LastUsed = time.UnixMicro(*used).UTC()
	}
	return k, err
}

func (t *tx) APIKey(id string) (registry.APIKey, error) {
	return one(t, fmt.Sprintf("API key %q", id), readAPIKey, selectAPIKey+" WHERE k.id = ?", id)
}

func (t *tx) APIKeyBySHA256(sum []byte) (registry.APIKey, error) {
	return one(t, "API key", readAPIKey, selectAPIKey+" WHERE k.sha256 = ?", blob(sum))
}

func (t *tx) APIKeys(partner, environment string) ([]registry.APIKey, error) {
	return list(t, fmt.Sprintf("API keys of %s of partner %q", environment, partner), readAPIKey,
		selectAPIKey+" WHERE k.partner = ? AND k.environment = ? ORDER BY k.id", partner, environment)
}

// PutAPIKey does not store LastUsed, which UsedAPIKeys notes: else who changes a
// key would set it back.
func (t *tx) PutAPIKey(k *registry.APIKey) error {
	what := fmt.Sprintf("API key %q", k.ID)
	rest := *k
	rest.ID, rest.Partner, rest.Environment, rest.Sealing, rest.LastUsed = "", "", "", "", time.Time{}
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	if err := t.free(what, "SELECT id FROM api_key WHERE sha256 = ? AND id <> ?", k.SHA256, k.ID); err != nil {
		return err
	}
	var revoked int64
	if !k.Revoked.IsZero() {
		revoked = 1
	}
	if k.Version == 0 {
		n, err := t.exec(what, "INSERT INTO api_key (id, partner, environment, sha256, sealing, revoked, version, body) VALUES (?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING",
			k.ID, k.Partner, k.Environment, nullBytes(k.SHA256), string(k.Sealing), revoked, text)
		err = inserted(what, n, err)
		return counted(&k.Version, err)
	}
	n, err := t.exec(what, "UPDATE api_key SET partner = ?, environment = ?, sha256 = ?, sealing = ?, revoked = ?, version = version + 1, body = ? WHERE id = ? AND version = ?",
		k.Partner, k.Environment, nullBytes(k.SHA256), string(k.Sealing), revoked, text, k.ID, k.Version)
	err = updated(what, n, err)
	return counted(&k.Version, err)
}

func readText(row scan) (text string, err error) {
	err = row(&text)
	return text, err
}

// free refuses the hash of a secret that another row has.
func (t *tx) free(what, others string, sum []byte, id string) error {
	if len(sum) == 0 {
		return nil
	}
	found, err := list(t, what, readText, others, sum, id)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%s: its SHA-256 is that of %q: %w", what, found[0], registry.ErrExists)
	}
	return err
}

// UsedAPIKeys passes over keys that are not there, and never sets a use back.
func (t *tx) UsedAPIKeys(at map[string]time.Time) error {
	const note = `INSERT INTO api_key_use (id, at) SELECT id, CAST(? AS BIGINT) FROM api_key WHERE id = ?
		ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE api_key_use.at < excluded.at`
	for _, id := range slices.Sorted(maps.Keys(at)) {
		if _, err := t.exec("uses of API keys", note, at[id].UnixMicro(), id); err != nil {
			return err
		}
	}
	return nil
}
