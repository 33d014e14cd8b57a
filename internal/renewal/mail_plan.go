package renewal

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// mail plans the mail after which the partner may end the old one: every node uses the successor, and
// what began before has ended. A partner who holds one certificate at a time gets it when every node
// has the successor: it may replace the old one when it likes, unless there is an appointment.
func (p *pass) mail(ctx context.Context, n *registry.Renewal) error {
	if n.Owner != registry.Theirs {
		return nil
	}
	if n.Mail != nil {
		return p.letters(ctx, *n)
	}
	var may bool
	var before string
	err := p.session.View(ctx, func(tx registry.Reader) (err error) {
		may, before, err = p.mayTell(tx, *n)
		return err
	})
	if before != "" {
		p.report.wait(&p.report.Wait, *n, "%s can't replace its key yet, because %s still counts: retire that one",
			n.Partner, before)
	}
	if err != nil || !may {
		return err
	}
	err = p.change(ctx, n, func(tx registry.Tx, n *registry.Renewal) error {
		if may, _, err := p.mayTell(tx, *n); err != nil || !may {
			return errors.Join(err, registry.ErrConflict)
		}
		env, err := tx.Environment(n.Partner, n.Environment)
		if err != nil {
			return err
		}
		n.Mail = &registry.RenewalMail{
			Planned: p.now, To: mailTo(env), ID: mailID(*n, env), Ready: n.Everywhere.IsZero(),
		}
		n.Changed = p.now
		if err := tx.PutRenewal(n); err != nil {
			return err
		}
		p.session.FollowRenewal(tx, *n)
		return nil
	})
	if err != nil {
		return err
	}
	if n.Mail != nil {
		p.report.done(*n, "the mail that confirms %s to %s is planned", n.Successor, n.Partner)
	}
	return p.letters(ctx, *n)
}

// letters puts the planned mail of a renewal into the outbox, once for each contact. It has an alarm where
// there is none.
func (p *pass) letters(ctx context.Context, n registry.Renewal) error {
	if n.Mail == nil || !n.Mail.Sent.IsZero() {
		return nil
	}
	var to []string
	var missing []registry.Mail
	err := p.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(n.Partner, n.Environment)
		if err != nil {
			return err
		}
		to = mailTo(env)
		failed, err := lettersFailed(tx, to, func(to string) string { return letterKey(n, to) })
		if err != nil {
			return err
		}
		if failed {
			p.report.wait(&p.report.Alarms, n, "the mail that confirms %s has reached no contact of %s in %s: name "+
				"another contact, or send it and record that", n.Successor, n.Partner, n.Environment)
		}
		missing, err = unplanned(tx, to, registry.Mail{
			Kind: n.Mail.Kind(), Partner: n.Partner, Environment: n.Environment, About: n.ID,
			State: registry.MailPlanned, Next: p.now, Planned: p.now,
		}, func(to string) string { return letterKey(n, to) })
		return err
	})
	if err != nil {
		return err
	}
	if len(to) == 0 {
		p.report.wait(&p.report.Alarms, n, "%s has no contact in %s for the mail that confirms %s",
			n.Partner, n.Environment, n.Successor)
	}
	if missing == nil {
		return nil
	}
	err = p.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		now, err := tx.Renewal(n.ID)
		if err != nil || now.Version != n.Version {
			return err
		}
		return addLetters(tx, missing)
	})
	if errors.Is(err, registry.ErrConflict) {
		return nil
	}
	return err
}

// letterKey returns the key of the mail that confirms a successor to one recipient.
func letterKey(n registry.Renewal, to string) string {
	return "confirm " + n.Mail.ID + " " + strings.ToLower(to)
}

// lettersFailed reports whether the letters to all recipients have ended, and none was accepted.
func lettersFailed(tx registry.Reader, to []string, key func(to string) string) (bool, error) {
	for _, address := range to {
		there, _, err := registry.Readable(tx.Mails(registry.MailQuery{Key: key(address)}))
		if err != nil || len(there) == 0 || !there[0].State.Ended() || there[0].State == registry.MailAccepted {
			return false, err
		}
	}
	return len(to) > 0, nil
}

// unplanned returns the letters to some recipients that are not in the outbox yet.
func unplanned(
	tx registry.Reader, to []string, letter registry.Mail, key func(to string) string,
) (missing []registry.Mail, err error) {
	for _, address := range to {
		there, _, err := registry.Readable(tx.Mails(registry.MailQuery{Key: key(address)}))
		if err != nil {
			return nil, err
		}
		if len(there) > 0 {
			continue
		}
		letter.ID, letter.To, letter.Key = registry.NewMailID(), address, key(address)
		missing = append(missing, letter)
	}
	return missing, nil
}

// addLetters stores letters, but for those that somebody has planned meanwhile.
func addLetters(tx registry.Tx, letters []registry.Mail) error {
	for _, m := range letters {
		there, _, err := registry.Readable(tx.Mails(registry.MailQuery{Key: m.Key}))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			continue
		}
		if err := tx.AddMails([]registry.Mail{m}); err != nil {
			return err
		}
	}
	return nil
}

// mayTell reports whether the partner may be told that its successor counts, and returns a certificate from
// before that stands in the way: a message that is refused is sent once more, to one other key, so there must be no
// third one.
func (p *pass) mayTell(tx registry.Reader, n registry.Renewal) (may bool, before string, err error) {
	swaps, err := swaps(tx, n)
	if err != nil {
		return false, "", err
	}
	since := n.Everywhere
	if swaps && since.IsZero() {
		since = n.LoadedAt
	}
	if n.Mail != nil || since.IsZero() || p.now.Before(since.Add(cmp.Or(p.Drain, DefaultDrain))) {
		return false, "", nil
	}
	if swaps && n.Everywhere.IsZero() {
		before, err = registry.Older(tx, n)
	}
	return err == nil && before == "", before, err
}

// swaps reports whether the partner of a renewal holds one certificate at a time, and may replace it when
// it likes.
func swaps(tx registry.Reader, n registry.Renewal) (bool, error) {
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return false, err
	}
	prof, err := registry.LoadProfile(tx, n.Profile)
	if err != nil {
		return false, err
	}
	appointed, err := n.ByAppointment(tx)
	return env.SlotsOf(prof) == 1 && !appointed, err
}
