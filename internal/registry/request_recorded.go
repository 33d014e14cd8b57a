package registry

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/sealane/sealane/internal/audit"
)

// recordOf returns the last record of a request, and reports whether that has the request as it is: its
// maker has made it so, or its decider has granted it. Somebody who can write the database may have
// changed it, or brought an earlier state back. A request that was done with a grant has its last record
// elsewhere: see wasDone.
func recordOf(tx Reader, r Request) (last audit.Record, has bool, err error) {
	name, form, _, err := recordedRow(r)
	if err != nil {
		return last, false, err
	}
	records, err := tx.FindAudit(AuditQuery{Subjects: []string{string(name)}, Limit: 1})
	if err != nil || len(records) == 0 {
		return last, false, err
	}
	last = records[0]
	action, who := ActionRequestMake, r.By
	if r.State == RequestGranted {
		action, who = ActionRequestApprove, r.Decider
	}
	recorded := newLastRecord(last.Seq, recordedRows(last).Rows[name])
	return last, last.Action == string(action) && last.Actor == who && recorded.has(sha256.Sum256(form)), nil
}

// asRecorded refuses a request that is not as its last record has it.
func asRecorded(tx Reader, r Request) error {
	last, has, err := recordOf(tx, r)
	switch {
	case err != nil || has:
		return err
	case last.Seq == 0:
		return Refuse("request %s has no record of %s, who is to have made it: somebody has put it into the database",
			r.ID, r.By)
	}
	return Refuse("request %s is not as record %d has it: somebody has changed it in the database; reject it, and "+
		"let %s make it again", r.ID, last.Seq, r.By)
}

// grantCounts reports whether the person who has granted a request is an approver still, and the
// audit log has that they have granted it as it is and that its act was not done since.
func (s *Session) grantCounts(tx Reader, r Request) (bool, error) {
	p, err := tx.Person(r.Decider)
	if _, damaged := errors.AsType[*DamagedRow](err); damaged || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil || !p.Revoked.IsZero() || !slices.Contains(p.Roles, Approver) || p.ID == r.By {
		return false, err
	}
	granted, has, err := recordOf(tx, r)
	if err != nil || !has {
		return false, err
	}
	done, err := wasDone(tx, r, granted.Seq)
	return !done, err
}

// wasDone reports whether the audit log has that the act of a request was done by its maker, since the
// record of its grant. The record of the act has the request's row.
func wasDone(tx Reader, r Request, granted int64) (bool, error) {
	const page = 50 // each may have many rows
	name := nameOf("request", r.ID)
	for q := (AuditQuery{Action: r.Action, Who: r.By, After: granted, Limit: page, Oldest: true}); ; {
		records, err := tx.FindAudit(q)
		if err != nil {
			return false, err
		}
		for _, record := range records {
			if !bytes.Contains(record.After, []byte(name)) { // most of the time of parsing
				continue
			}
			if _, has := recordedRows(record).Rows[name]; has {
				return true, nil
			}
		}
		if len(records) < page {
			return false, nil
		}
		q.After = records[len(records)-1].Seq
	}
}
