package renewal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// Ack acknowledges the notices of a renewal until a time.
type Ack struct {
	Name
	Until time.Time `json:"until"`
}

// maxAck is how long notices can be acknowledged.
const maxAck = 90 * 24 * time.Hour

// Ack stops the notices of a renewal, and the escalation, for the session's reason. The last two before the
// end, and those after it, are sent all the same.
func (r Renewals) Ack(ctx context.Context, in Ack) (registry.Renewal, error) {
	n, err := r.change(ctx, registry.ActionNoticeAck, in.Name,
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			now := r.session.Time()
			switch {
			case !in.Until.After(now):
				return registry.Refuse("say until when: %s is over", in.Until.UTC().Format(time.DateTime))
			case in.Until.Sub(now) > maxAck:
				return registry.Refuse("notices can be acknowledged for %d days at most", maxAck/(24*time.Hour))
			}
			n.Ack = &registry.RenewalAck{
				By: r.session.Person().ID, At: now, Until: in.Until, Reason: r.session.Reason(),
			}
			n.Changed = now
			return tx.PutRenewal(n)
		})
	if errors.Is(err, errNoPart) {
		err = registry.Refuse("%w: there is nothing to acknowledge", err).
			Then(registry.Advice{Action: registry.AdviceNotices, ID: in.ID})
	}
	return n, err
}

// SendLetter asks for a letter about a certificate, to all contacts of the first role.
type SendLetter struct {
	Kind registry.NoticeKind `json:"kind"` // offer, checksum, alias or rejected
	ID   string              `json:"id"`   // of the certificate, or of our key pair
	// Partner is the one to whom a shared certificate is offered.
	Partner string `json:"partner,omitempty"`
}

// letterStates are the states of a certificate that each letter is about; none: any.
var letterStates = map[registry.NoticeKind][]registry.State{
	registry.LetterOffer:    {registry.Staged, registry.Active},
	registry.LetterChecksum: {registry.Staged, registry.Active},
	registry.LetterAlias:    {registry.Approved, registry.Staged, registry.Active},
	registry.LetterRejected: {registry.Rejected},
}

// SendLetter puts a letter into the outbox, once for each contact. An offer and its checksum are two letters.
func (r Renewals) SendLetter(ctx context.Context, in SendLetter) (planned []registry.Mail, err error) {
	entry := registry.Entry{Action: registry.ActionNoticeLetter, Subject: "certificate/" + in.ID}
	err = r.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := r.letterOf(tx, in)
		if err != nil {
			return err
		}
		partner := c.Partner
		if partner == "" {
			partner = in.Partner
		}
		env, err := tx.Environment(partner, c.Environment)
		if err != nil {
			return err
		}
		entry.Subject, entry.Partner, entry.Environment = "certificate/"+c.ID, partner, c.Environment
		to := mailTo(env)
		if len(to) == 0 {
			return registry.Refuse("%s has no contact in %s with an address", partner, c.Environment).
				Then(registry.Advice{Action: registry.ActionContactSet, Partner: partner, Environment: c.Environment})
		}
		now := r.session.Time()
		key := func(to string) string {
			return strings.Join([]string{string(in.Kind), c.ID, partner, strings.ToLower(to)}, " ")
		}
		for _, address := range to {
			if err := forgetFailed(tx, key(address)); err != nil {
				return err
			}
		}
		planned, err = unplanned(tx, to, registry.Mail{
			Kind: in.Kind, Partner: partner, Environment: c.Environment, About: c.ID,
			State: registry.MailPlanned, Next: now, Planned: now,
		}, key)
		if err != nil {
			return err
		}
		if planned == nil {
			return registry.Refuse("that letter is in the outbox for each contact already")
		}
		entry.After = map[string]any{"letters": planned}
		return tx.AddMails(planned)
	})
	return planned, err
}

// forgetFailed lets a letter be planned again that has not arrived.
func forgetFailed(tx registry.Tx, key string) error {
	there, _, err := registry.Readable(tx.Mails(registry.MailQuery{Key: key}))
	if err != nil || len(there) == 0 || !there[0].State.Ended() || there[0].State == registry.MailAccepted {
		return err
	}
	there[0].Key = ""
	return tx.PutMail(&there[0])
}

// letterOf returns the certificate of a letter, if the letter can be about it.
func (r Renewals) letterOf(tx registry.Reader, in SendLetter) (c registry.Certificate, err error) {
	states, known := letterStates[in.Kind]
	if !known {
		return c, registry.Refuse("there is no letter %q; say offer, checksum, alias or rejected", in.Kind)
	}
	if k, failed := tx.KeyPair(in.ID); failed == nil {
		in.ID = k.Certificate
	}
	if c, err = tx.Certificate(in.ID); err != nil {
		return c, err
	}
	ours := in.Kind == registry.LetterOffer || in.Kind == registry.LetterChecksum
	switch {
	case ours != (c.Owner == registry.Ours):
		return c, registry.Refuse("certificate %s is %s: the letter %q is about the other side's", c.ID, c.Owner,
			in.Kind)
	case in.Kind == registry.LetterAlias && c.KeyID == "":
		return c, registry.Refuse("certificate %s has no key ID yet: assign it", c.ID).
			Then(registry.Advice{Action: registry.ActionExchangeAlias, ID: c.ID})
	}
	for _, state := range states {
		if c.State == state {
			return c, nil
		}
	}
	return c, registry.Refuse("certificate %s is %s: the letter %q is about one that is %s", c.ID, c.State, in.Kind,
		strings.ReplaceAll(registry.Listed(states), ", ", " or "))
}

// Bounced is what a report of a failure has led to.
type Bounced struct {
	notify.Bounce
	Mail registry.Mail `json:"mail"`
	// Ignored reports whether nothing was changed: the failure may pass, or is known.
	Ignored bool `json:"ignored,omitempty"`
}

// Bounce takes a report of a mail server that a mail could not be delivered (RFC 3464). After a permanent
// failure the address counts as one to which nothing can be delivered, and the next people are told.
func Bounce(ctx context.Context, s *registry.Session, b notify.Bounce) (out Bounced, err error) {
	out.Bounce = b
	err = s.View(ctx, func(tx registry.Reader) error {
		out.Mail, err = mailOfBounce(tx, b)
		return err
	})
	if err != nil {
		return out, err
	}
	if !strings.EqualFold(out.Mail.To, b.Recipient) && b.Recipient != "" {
		return out, registry.Refuse("the report is about %s, and mail %s was to %s", b.Recipient, out.Mail.ID,
			out.Mail.To)
	}
	if !b.Permanent || out.Mail.Bounced != "" {
		out.Ignored = true
		return out, nil
	}
	entry := registry.Entry{
		Action: registry.ActionNoticeBounce, Subject: "mail/" + out.Mail.ID, Partner: out.Mail.Partner,
	}
	err = s.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		m, err := tx.Mail(out.Mail.ID)
		if err != nil {
			return err
		}
		m.Bounced, m.State = b.Status, registry.MailRefused
		if m.Ended.IsZero() {
			m.Ended = s.Time()
		}
		notices, _, err := registry.Readable(tx.NoticesOf(m.ID))
		if err != nil {
			return err
		}
		notices = slices.DeleteFunc(notices, func(n registry.Notice) bool {
			return n.Outcome == registry.NoticeWithdrawn
		})
		for i := range notices {
			notices[i].Outcome = registry.NoticeRefused
		}
		if err := errors.Join(untold(tx, s, m), notAsked(tx, s, m, notices)); err != nil {
			return err
		}
		out.Mail = m
		entry.After = map[string]any{"mail": m, "status": b.Status}
		return errors.Join(tx.PutNotices(notices), tx.PutMail(&m), lookAgain(tx, notices, s.Time()))
	})
	return out, err
}

// mailOfBounce returns the mail that a report is about: by the tag in the address that the report went to,
// or by its Message-ID.
func mailOfBounce(tx registry.Reader, b notify.Bounce) (m registry.Mail, err error) {
	if registry.IsMail(b.Tag) {
		if m, err = tx.Mail(b.Tag); !errors.Is(err, registry.ErrNotFound) {
			return m, err
		}
	}
	if id := strings.Trim(b.MessageID, "<>"); id != "" {
		all, _, err := registry.Readable(tx.Mails(registry.MailQuery{MessageID: id}))
		if err != nil || len(all) > 0 {
			return append(all, m)[0], err
		}
	}
	return m, fmt.Errorf("the mail that the report is about: %w", registry.ErrNotFound)
}

// byHand begins the words of a mail that a person has sent.
const byHand = "sent by "

// SentBy returns who has sent a mail by hand, or "".
func SentBy(m registry.Mail) string {
	person, ok := strings.CutPrefix(m.Words, byHand)
	if !ok || m.State != registry.MailAccepted || m.Code != 0 {
		return ""
	}
	return person
}

// SentByPerson records that a person has sent a mail of the outbox.
func (r Renewals) SentByPerson(ctx context.Context, id string) (m registry.Mail, err error) {
	err = endMail(ctx, r.session, id, func(_ registry.Tx, stored *registry.Mail) error {
		if stored.State.Ended() {
			return registry.Refuse("mail %s is %s", id, stored.State)
		}
		stored.State, stored.Ended = registry.MailAccepted, r.session.Time()
		stored.Words = byHand + r.session.Person().ID
		m = *stored
		return nil
	}, registry.NoticeAccepted)
	return m, err
}

// Arm notes the installation for which sending is armed, and returns its identity. What was armed
// before is not any more.
func Arm(ctx context.Context, s *registry.Session, sender string) (installation string, err error) {
	entry := registry.Entry{Action: registry.ActionNoticeArm, Subject: "installation"}
	err = s.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		installation = registry.NewInstallation()
		entry.After = map[string]string{"installation": installation, "sender": sender}
		return tx.SetInstallation(installation, s.Time())
	})
	return installation, err
}
