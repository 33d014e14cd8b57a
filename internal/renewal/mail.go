package renewal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// mailTo returns the addresses for our mails to a partner: those of the first role that has a contact.
func mailTo(env registry.Environment) []string {
	for _, role := range []registry.ContactRole{registry.Primary, registry.Alternate, registry.Support} {
		var to []string
		for _, c := range env.Contacts {
			if c.Role == role && c.Email != "" {
				to = append(to, c.Email)
			}
		}
		if to != nil {
			return to
		}
	}
	return nil
}

// mailID returns the Message-ID of the mail that confirms a renewal. It is the same each time the mail
// is written.
func mailID(n registry.Renewal, env registry.Environment) string {
	domain := "sealane.invalid"
	if _, after, found := strings.Cut(env.MailFrom, "@"); found {
		domain = after
	}
	return fmt.Sprintf("<%s.%s.%d@%s>", n.ID, n.Successor, max(n.Staged, n.Activated), domain)
}

// Letter is the mail that confirms a new certificate, as a file (RFC 5322).
type Letter struct {
	Renewal string    `json:"renewal"`
	Planned time.Time `json:"planned"`
	To      []string  `json:"to,omitempty"`
	Data    []byte    `json:"data"`
}

// ConfirmationMail returns the planned mail of a renewal. It is the same each time.
func ConfirmationMail(ctx context.Context, v *registry.Viewer, of Name) (out Letter, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		n, err := registry.FindRenewal(tx, of.ID, of.Partner)
		if err != nil {
			return err
		}
		out, err = letterOf(tx, n)
		return err
	})
	return out, err
}

// PlannedMails returns the mails that are planned, and that nobody has sent yet. One whose rows can't
// be read is left out; the schedule has an alarm about it.
func PlannedMails(ctx context.Context, v *registry.Viewer) (out []Letter, err error) {
	q := registry.RenewalQuery{Open: true, Owner: registry.Theirs, Page: registry.Page{Limit: 500}}
	for {
		var page []registry.Renewal
		var damaged registry.DamagedRows
		err := v.View(ctx, func(tx registry.Reader) error {
			if page, damaged, err = registry.Readable(tx.Renewals(q)); err != nil {
				return err
			}
			for _, n := range page {
				if n.Mail == nil || !n.Mail.Sent.IsZero() {
					continue
				}
				l, err := letterOf(tx, n)
				if _, unreadable := errors.AsType[*registry.DamagedRow](err); unreadable {
					continue
				}
				if err != nil {
					return err
				}
				out = append(out, l)
			}
			return nil
		})
		if err != nil || len(page)+len(damaged) == 0 || len(out) >= maxListed {
			return out, err
		}
		q.After = lastOf(page, damaged)
	}
}

// letterOf returns the planned mail of a renewal.
func letterOf(tx registry.Reader, n registry.Renewal) (out Letter, err error) {
	if n.Mail == nil {
		return out, notPlanned(n)
	}
	env, err := tx.Environment(n.Partner, n.Environment)
	if err != nil {
		return out, err
	}
	if len(n.Mail.To) == 0 && n.Mail.Sent.IsZero() { // a contact may have come since
		planned := *n.Mail
		planned.To = mailTo(env)
		n.Mail = &planned
	}
	out = Letter{Renewal: n.ID, Planned: n.Mail.Planned, To: n.Mail.To}
	out.Data, err = letter(tx, n, env)
	return out, err
}

// notPlanned is the error where a renewal has no mail.
func notPlanned(n registry.Renewal) error {
	if n.Owner == registry.Ours {
		return registry.Refuse("renewal %s is of a key pair of ours: it has no mail, and its successor is offered",
			n.ID)
	}
	return registry.Refuse("renewal %s is %s: its mail is planned when every node uses the successor", n.ID, n.Step)
}

// letter writes the mail as the built-in template has it, for a person to send: its names are those of the day on
// which it was planned.
func letter(tx registry.Reader, n registry.Renewal, env registry.Environment) ([]byte, error) {
	templates, _ := notify.LoadTemplates("")
	r := rendering{Reader: tx, config: &notify.Config{}, templates: templates, now: n.Mail.Planned}
	m := registry.Mail{Kind: n.Mail.Kind(), Partner: n.Partner, Environment: n.Environment, MessageID: n.Mail.ID}
	f, err := r.about(m)
	if err != nil {
		return nil, err
	}
	if err := r.confirms(n, &f); err != nil {
		return nil, err
	}
	more := []string{}
	if len(n.Mail.To) > 0 {
		m.To, more = n.Mail.To[0], n.Mail.To[1:]
	}
	f.From, f.Email = env.MailFrom, ""
	f.Environment = n.Environment
	if len(more) == 0 {
		r.addressed(env, m.To, &f)
	}
	err = r.write(&m, f, more...)
	return m.Data, err
}

// Sent records that the mail which confirms a new certificate was sent by a person.
func (r Renewals) Sent(ctx context.Context, of Name) (registry.Renewal, error) {
	n, err := r.change(ctx, registry.ActionRenewalMail, of,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			switch {
			case n.Mail == nil:
				return notPlanned(*n)
			case !n.Mail.Sent.IsZero():
				return registry.Refuse("the mail of renewal %s was sent on %s", n.ID,
					n.Mail.Sent.Format(time.DateOnly))
			}
			m := *n.Mail
			if len(m.To) == 0 {
				env, err := tx.Environment(n.Partner, n.Environment)
				if err != nil {
					return err
				}
				m.To = mailTo(env)
			}
			m.Sent, m.SentBy = r.session.Time(), r.session.Person().ID
			n.Mail, n.Changed = &m, m.Sent
			return tx.PutRenewal(n)
		})
	return r.again(ctx, n, err)
}
