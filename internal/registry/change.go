package registry

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/termtext"
)

// Entry is what the audit log keeps of a change. The change completes it.
type Entry struct {
	Action               Action
	Subject              string       // such as "certificate/ID"
	Partner, Environment string       // empty where the change is of none
	Reason               string       // empty: the session's
	second               bool         // the policy was asked
	first                *Environment // that is added with a partner
	leaves               []KeyPair    // that are exported with a lane
	asks                 *second      // what is asked where the rows do not say it; nil: nothing is
	Before, After        any          // the rows; After has those that the change stores by itself
}

// Change runs f and writes its record in one transaction. f completes the entry; its error
// undoes everything. Change refuses what the person may not do.
func (s *Session) Change(ctx context.Context, entry Entry, f func(Tx, *Entry) error) error {
	return s.changes(ctx, entry, func(tx Tx, entry *Entry) (bool, error) { return false, f(tx, entry) })
}

// ChangeInParts is Change of more rows than one record can have: f is called for each record, until it
// reports that there are no more. All are in one transaction. A second person agrees to all of them by
// the first one's entry.
func (s *Session) ChangeInParts(ctx context.Context, entry Entry, f func(Tx, *Entry) (more bool, err error)) error {
	return s.changes(ctx, entry, f)
}

func (s *Session) changes(ctx context.Context, entry Entry, f func(Tx, *Entry) (more bool, err error)) error {
	if err := s.May(entry.Action); err != nil {
		return err
	}
	entry.Reason = cmp.Or(entry.Reason, s.reason)
	if permissions[entry.Action].reason {
		if err := CheckReason(entry.Reason); err != nil {
			return Refuse("%s of %s: %w", entry.Action, entry.Subject, err)
		}
	}
	asked := false
	return s.registry.changes(ctx, s.person.ID, entry, func(tx Tx, entry *Entry) (bool, error) {
		if err := s.unchanged(tx); err != nil {
			return false, err
		}
		more, err := f(tx, entry)
		if err != nil {
			return false, err
		}
		if err := notArchived(tx, *entry); err != nil || entry.second || asked {
			return more, err
		}
		asked = true
		return more, s.secondPerson(tx, entry)
	})
}

// unchanged returns an error if the role was taken, or the token replaced or revoked, since the login.
func (s *Session) unchanged(tx Reader) error {
	if s.program != nil {
		return nil
	}
	p, err := tx.Person(s.person.ID)
	if err != nil {
		return err
	}
	switch {
	case !p.Revoked.IsZero():
		return ErrUnknownToken
	case !slices.Equal(p.Roles, s.person.Roles) || !bytes.Equal(p.SHA256, s.person.SHA256):
		return ErrChangedSinceLogin
	}
	return nil
}

// NeedSecond checks the entry of a change against the policy before f does what can't be taken
// back, such as writing a file. Otherwise Change does so after f.
func (s *Session) NeedSecond(tx Tx, entry *Entry) error {
	entry.second = true
	return s.secondPerson(tx, entry)
}

// change is Change by any actor, of whom it does not ask whether they may.
func (r *Registry) change(ctx context.Context, actor string, entry Entry, f func(Tx, *Entry) error) error {
	return r.changes(ctx, actor, entry, func(tx Tx, entry *Entry) (bool, error) { return false, f(tx, entry) })
}

// changes is change with several records, see [Session.changes].
func (r *Registry) changes(
	ctx context.Context, actor string, entry Entry, f func(Tx, *Entry) (more bool, err error),
) error {
	var head audit.Head
	err := r.Store.Update(ctx, func(tx Tx) (err error) {
		for more := true; more; {
			if more, err = r.changeOnce(tx, actor, entry, f); err != nil {
				return err
			}
		}
		head, err = tx.AuditHead()
		return err
	})
	if err == nil && r.Recorded != nil {
		r.Recorded(ctx, head)
	}
	return err
}

// changeOnce runs f and writes one record.
func (r *Registry) changeOnce(
	tx Tx, actor string, entry Entry, f func(Tx, *Entry) (more bool, err error),
) (more bool, err error) {
	changed := newRecorder(tx)
	if more, err = f(changed, &entry); err != nil {
		return false, err
	}
	if err := r.follow(changed, actor); err != nil {
		return false, err
	}
	before, err := recorded(entry.Before)
	if err != nil {
		return false, err
	}
	after, err := changed.after(entry.After)
	if err != nil {
		return false, err
	}
	return more, audit.Write(tx, audit.Record{
		Time: r.now(), Actor: actor, Action: string(entry.Action), Subject: entry.Subject,
		Partner: entry.Partner, Environment: entry.Environment, Reason: termtext.Escape(entry.Reason),
		Before: before, After: after,
	})
}
