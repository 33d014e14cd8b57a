package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/audit"
)

// Entry is what is recorded of a change. A change completes it.
type Entry struct {
	Action               string // see permissions
	Subject              string
	Partner, Environment string
	Reason               string
	Before, After        any
}

// Change runs a change in a transaction and records it there; one without the
// other there is not. f completes the entry and gives an error to undo all.
func (s *Session) Change(ctx context.Context, entry Entry, f func(Tx, *Entry) error) error {
	if err := s.May(entry.Action); err != nil {
		return err
	}
	if strings.TrimSpace(entry.Reason) == "" && slices.Contains(reasons, entry.Action) {
		return fmt.Errorf("%s of %s: say why (--reason)", entry.Action, entry.Subject)
	}
	return s.change(ctx, s.person.ID, entry, func(tx Tx, entry *Entry) error {
		// The role may have been taken, or the token replaced or revoked, since the login.
		p, err := tx.Person(s.person.ID)
		if err != nil {
			return err
		}
		if !p.Revoked.IsZero() || !slices.Equal(p.Roles, s.person.Roles) || !bytes.Equal(p.SHA256, s.person.SHA256) {
			return ErrUnknownToken
		}
		return f(tx, entry)
	})
}

// change is Change for any actor, without asking whether it may.
func (r *Registry) change(ctx context.Context, actor string, entry Entry, f func(Tx, *Entry) error) error {
	var head audit.Head
	err := r.Store.Update(ctx, func(tx Tx) error {
		entry := entry
		if err := f(tx, &entry); err != nil {
			return err
		}
		before, err := recorded(entry.Before)
		if err != nil {
			return err
		}
		after, err := recorded(entry.After)
		if err != nil {
			return err
		}
		if err := audit.Write(tx, audit.Record{
			Time: r.now(), Actor: actor, Action: entry.Action, Subject: entry.Subject,
			Partner: entry.Partner, Environment: entry.Environment, Reason: entry.Reason, Before: before, After: after,
		}); err != nil {
			return err
		}
		head, err = tx.AuditHead()
		return err
	})
	if err == nil && r.Recorded != nil {
		r.Recorded(ctx, head)
	}
	return err
}

// recorded is what the audit log keeps of a row: no bytes that say nothing to
// people, and no secret.
func recorded(row any) (json.RawMessage, error) {
	switch v := row.(type) {
	case nil:
		return nil, nil
	case Certificate:
		v.DER, v.SPKI, v.Chain, v.Provenance.File, v.Provenance.Challenge = nil, nil, nil, nil, nil
		row = v
	case []Certificate:
		list := make([]json.RawMessage, len(v))
		for i, c := range v {
			var err error
			if list[i], err = recorded(c); err != nil {
				return nil, err
			}
		}
		row = list
	case KeyPair:
		v.SPKI = nil
		row = v
	}
	return json.Marshal(row)
}
