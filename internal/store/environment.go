package store

import (
	"fmt"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

var environmentTable = &table[registry.Environment]{
	name: "environment",
	row: func(e *registry.Environment) string {
		return fmt.Sprintf("environment %s of partner %q", e.Name, e.Partner)
	},
	key: []column[registry.Environment]{
		text("partner", func(e *registry.Environment) *string { return &e.Partner }),
		text("name", func(e *registry.Environment) *string { return &e.Name }),
	},
	columns: append([]column[registry.Environment]{
		textOrNull("account", func(e *registry.Environment) *string { return &e.Account }),
		text("sealing", func(e *registry.Environment) *sealane.Sealing { return &e.Sealing }),
		text("caller", func(e *registry.Environment) *sealane.SenderAuth { return &e.SenderAuth }),
		text("accept_rsa_oaep", func(e *registry.Environment) *string { return &e.AcceptRSAOAEP }),
		text("url", func(e *registry.Environment) *string { return &e.URL }),
		document("limits", func(e *registry.Environment) *lanes.Limits { return &e.Limits }),
		text("expired", func(e *registry.Environment) *sealane.Expired { return &e.Expired }),
		text("no_resend", func(e *registry.Environment) *string { return &e.NoResend }),
		document("rotation", func(e *registry.Environment) *registry.Rotation { return &e.Rotation }),
		number("max_payload", func(e *registry.Environment) *int { return &e.MaxPayload }),
		names(registry.Environment.SearchTexts),
	}, noted(func(e *registry.Environment) *int64 { return &e.Version }, contactsColumn, leadColumn)...),
	version: func(e *registry.Environment) *int64 { return &e.Version },
	body:    true,
}

func (t *tx) Environment(partner, name string) (registry.Environment, error) {
	return find(t, environmentTable, registry.Environment{Partner: partner, Name: name})
}

func (t *tx) Environments(partner string) ([]registry.Environment, error) {
	return list(t, fmt.Sprintf("environments of partner %q", partner), environmentTable.listed(),
		" WHERE partner = ? ORDER BY name", partner)
}

func (t *tx) EnvironmentOfAccount(account string) (registry.Environment, error) {
	return one(t, fmt.Sprintf("account %q", account), environmentTable.whole(), " WHERE account = ?", account)
}

// PutEnvironment searches for another environment of the account first, because a violation of
// the database's constraint would end a transaction of PostgreSQL. There are no other writers
// meanwhile.
func (t *tx) PutEnvironment(e *registry.Environment) error {
	what := environmentTable.row(e)
	if e.Account != "" {
		others, err := list(t, what, environmentTable.listed(),
			" WHERE account = ? AND NOT (partner = ? AND name = ?)", e.Account, e.Partner, e.Name)
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return fmt.Errorf("%s: the account %q is that of %s: %w",
				what, e.Account, environmentTable.row(&others[0]), registry.ErrExists)
		}
	}
	if err := put(t, environmentTable, e); err != nil {
		return err
	}
	_, err := t.exec("look at "+what, `DELETE FROM notice_look WHERE about IN
		(SELECT id FROM renewal WHERE partner = ? AND environment = ? AND closed < 0
		UNION SELECT id FROM certificate WHERE state = 'active' AND partner = ? AND environment = ?)`,
		e.Partner, e.Name, e.Partner, e.Name)
	return err
}
