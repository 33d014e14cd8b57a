package renewal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// endMail ends a mail in a session: set sets its state. What it was about is noted, if it was accepted.
func endMail(
	ctx context.Context, s *registry.Session, id string, set func(registry.Tx, *registry.Mail) error,
	outcome registry.Outcome,
) error {
	action := registry.ActionNoticeSend
	entry := registry.Entry{Action: action, Subject: "mail/" + id}
	return s.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		m, err := tx.Mail(id)
		if err != nil {
			return err
		}
		if err := set(tx, &m); err != nil {
			return err
		}
		entry.Partner, entry.Environment = m.Partner, m.Environment
		notices, _, err := registry.Readable(tx.NoticesOf(id))
		if err != nil {
			return err
		}
		notices = slices.DeleteFunc(notices, func(n registry.Notice) bool { return n.Outcome != "" })
		for i := range notices {
			notices[i].Outcome = outcome
		}
		if outcome == registry.NoticeAccepted {
			if err := told(tx, s, m, notices); err != nil {
				return err
			}
		}
		entry.After = map[string]any{"mail": m, "notices": notices}
		return errors.Join(tx.PutNotices(notices), tx.PutMail(&m), lookAgain(tx, notices, s.Time()))
	})
}

// lookAgain makes the renewals of some notices, and certificates that have none, be looked at in the next pass.
func lookAgain(tx registry.Tx, notices []registry.Notice, now time.Time) error {
	var looks []registry.Look
	seen := map[string]bool{}
	for _, n := range notices {
		if about := cmp.Or(n.Renewal, n.Certificate); !seen[about] {
			seen[about] = true
			looks = append(looks, registry.Look{About: about, At: now})
		}
	}
	return tx.Looked(looks)
}

// told notes in renewals that a mail about them was accepted.
func told(tx registry.Tx, s *registry.Session, m registry.Mail, notices []registry.Notice) error {
	err := eachRenewal(tx, notices, func(n registry.Notice, r *registry.Renewal) {
		r.Notices = append(slices.Clone(r.Notices), registry.RenewalNotice{
			Kind: n.Kind, Days: n.Days, Round: n.Round, To: n.To, At: m.Ended, Mail: m.ID,
		})
		if more := len(r.Notices) - registry.MaxNotices; more > 0 {
			r.Notices = r.Notices[more:]
		}
		if n.Kind == registry.NoticeTheirs && n.To != registry.ToWebhook && r.AskedAt.IsZero() && !r.Step.Closed() {
			r.AskedAt = m.Ended
			s.FollowRenewal(tx, *r)
		}
	})
	if err != nil || m.Kind != registry.LetterReady && m.Kind != registry.LetterInstalled {
		return err
	}
	r, err := tx.Renewal(m.About)
	if err != nil || !letterOfNow(r, m) {
		return missing(err)
	}
	mail := *r.Mail
	if mail.Sent.IsZero() {
		mail.Sent, mail.SentBy, mail.To = m.Ended, s.Person().ID, nil
	}
	mail.To = append(slices.Clone(mail.To), m.To)
	r.Mail = &mail
	s.FollowRenewal(tx, r)
	return tx.PutRenewal(&r)
}

// missing returns an error, unless it says that a row is not there or can't be read: what has happened is noted
// all the same.
func missing(err error) error {
	if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged || errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// untold takes back that a mail has told a partner which has come back, unless another contact has one.
func untold(tx registry.Tx, s *registry.Session, m registry.Mail) error {
	if m.Kind != registry.LetterReady && m.Kind != registry.LetterInstalled {
		return nil
	}
	r, err := tx.Renewal(m.About)
	if err != nil || !letterOfNow(r, m) || r.Mail.Sent.IsZero() {
		return missing(err)
	}
	mail := *r.Mail
	mail.To = slices.DeleteFunc(slices.Clone(mail.To), func(to string) bool { return strings.EqualFold(to, m.To) })
	if len(mail.To) == 0 {
		mail.Sent, mail.SentBy = time.Time{}, ""
	}
	r.Mail = &mail
	s.FollowRenewal(tx, r)
	return tx.PutRenewal(&r)
}

// notAsked takes back that a mail has asked a partner for its next certificate which has come back.
func notAsked(tx registry.Tx, s *registry.Session, m registry.Mail, notices []registry.Notice) error {
	return eachRenewal(tx, notices, func(_ registry.Notice, r *registry.Renewal) {
		asked := r.AskedAt
		r.Notices = slices.DeleteFunc(slices.Clone(r.Notices), func(o registry.RenewalNotice) bool {
			if o.Mail == m.ID && o.At.Equal(asked) && !r.Step.Closed() {
				r.AskedAt = time.Time{}
			}
			return o.Mail == m.ID
		})
		for _, o := range r.Notices {
			if o.Kind == registry.NoticeTheirs && o.ToPartner() && r.AskedAt.IsZero() && !asked.IsZero() {
				r.AskedAt = o.At
			}
		}
		s.FollowRenewal(tx, *r)
	})
}

// eachRenewal changes the renewal of each notice that has one which can be read.
func eachRenewal(tx registry.Tx, notices []registry.Notice, change func(registry.Notice, *registry.Renewal)) error {
	for _, n := range notices {
		if n.Renewal == "" {
			continue
		}
		r, err := tx.Renewal(n.Renewal)
		if err == nil {
			change(n, &r)
			err = tx.PutRenewal(&r)
		}
		if err := missing(err); err != nil {
			return err
		}
	}
	return nil
}
