package renewal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// render writes the message of a mail, and reports whether it is still to be sent. Notices that are not
// due any more are left out; a mail without any is withdrawn.
func (o *Outbox) render(tx registry.Tx, m *registry.Mail, now time.Time) (still bool, err error) {
	r := rendering{Reader: tx, config: o.Config, templates: o.Templates, now: now, servers: o.serversEnd(now)}
	facts, still, err := r.facts(*m)
	if err != nil {
		return false, err
	}
	if err := withdrawRest(tx, m.ID, facts.Certificates); err != nil {
		return false, err
	}
	if !still {
		m.State, m.Ended = registry.MailWithdrawn, now
		return false, tx.PutMail(m)
	}
	return true, r.write(m, facts)
}

// rendering makes the message of a mail.
type rendering struct {
	registry.Reader
	config    *notify.Config
	templates *notify.Templates
	now       time.Time
	servers   []string // whose certificates end soon
}

// about returns what each message to somebody says.
func (r rendering) about(m registry.Mail) (notify.Facts, error) {
	f := notify.Facts{
		Kind: notify.Kind(m.Kind), Partner: m.Partner, Now: r.now,
		Person: r.config.Answers.Name, Telephone: r.config.Answers.Telephone,
	}
	f.From, f.Sender = r.config.From()
	f.Email = r.config.AnswersTo()
	if m.Partner != "" {
		p, err := r.Partner(m.Partner)
		if err != nil {
			return f, err
		}
		f.Partner, f.Profile = p.Name, p.Profile
		if prof, err := registry.LoadProfile(r.Reader, p.Profile); err == nil {
			f.Profile = prof.Title
		}
	}
	return f, nil
}

// facts returns what the message says, and reports whether it is still to be said.
func (r rendering) facts(m registry.Mail) (f notify.Facts, still bool, err error) {
	if f, err = r.about(m); err != nil {
		return f, false, err
	}
	switch {
	case m.Kind == registry.NoticeSummary:
		f.Lines, err = summary(r.Reader, r.now, r.servers)
		return f, true, err
	case m.Key != "":
		still, err = r.letter(m, &f)
		return f, still, err
	}
	err = r.notices(m, &f)
	return f, len(f.Certificates) > 0, err
}

// notices adds the certificates of the notices in a mail.
func (r rendering) notices(m registry.Mail, f *notify.Facts) error {
	all, _, err := registry.Readable(r.NoticesOf(m.ID))
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b registry.Notice) int { return a.Days - b.Days })
	partner := ""
	for _, n := range all {
		if n.Outcome != "" {
			continue
		}
		of, err := r.renewalOf(n)
		if err != nil && missing(err) == nil {
			continue
		}
		if err != nil {
			return err
		}
		c, env, err := r.certificate(n, of)
		if err != nil && missing(err) == nil { // the others are told
			continue
		}
		if err != nil {
			return err
		}
		if !isContact(env, m) {
			continue
		}
		if len(f.Certificates) == 0 {
			f.Environment, partner = n.Environment, n.Partner
			r.addressed(env, m.To, f)
		}
		if f.Environment != n.Environment {
			f.Environment = ""
		}
		if partner != n.Partner {
			partner = ""
		}
		f.Certificates = append(f.Certificates, c)
		f.Reminder = max(f.Reminder, reminders(of, n))
		if n.Kind == registry.NoticeContacts {
			f.Lines = append(f.Lines, contactLines(env, f.Lines)...)
		}
	}
	if m.Partner != "" || partner == "" {
		return nil
	}
	p, err := r.Partner(partner)
	f.Partner = p.Name
	return err
}

// renewalOf returns the renewal that a notice is about, or the zero value.
func (r rendering) renewalOf(n registry.Notice) (of registry.Renewal, err error) {
	if n.Renewal == "" {
		return of, nil
	}
	return r.Renewal(n.Renewal)
}

// reminders returns how many mails with the same kind of notice a contact of the partner has got before.
func reminders(of registry.Renewal, n registry.Notice) int {
	mails := map[string]bool{}
	for _, o := range of.Notices {
		if n.Kind.ToPartner() && o.Kind == n.Kind && strings.EqualFold(o.To, n.To) {
			mails[o.Mail] = true
		}
	}
	return len(mails)
}

// contactLines names the contacts of an environment that are not among lines.
func contactLines(env registry.Environment, lines []string) (more []string) {
	for _, c := range env.Contacts {
		line := fmt.Sprintf("%s, %s contact: %s, %s", env.Name, c.Role, c.Name, c.Email)
		if !slices.Contains(lines, line) {
			more = append(more, line)
		}
	}
	return more
}

// isContact reports whether the recipient of a mail to a partner is a contact of an environment still.
func isContact(env registry.Environment, m registry.Mail) bool {
	return m.Partner == "" || m.To == registry.ToWebhook ||
		slices.ContainsFunc(env.Contacts, func(c registry.Contact) bool { return strings.EqualFold(c.Email, m.To) })
}

// addressed says from whom and to whom a mail to a partner is.
func (r rendering) addressed(env registry.Environment, to string, f *notify.Facts) {
	if env.MailFrom != "" && registry.NoticeKind(f.Kind).ToPartner() {
		f.From = env.MailFrom
	}
	for _, c := range env.Contacts {
		if strings.EqualFold(c.Email, to) {
			f.Contact = c.Name
		}
	}
}

// certificate returns what a mail says of the certificate of a notice, which is about a renewal or none.
func (r rendering) certificate(
	n registry.Notice, of registry.Renewal,
) (c notify.Certificate, env registry.Environment, err error) {
	row, err := r.Certificate(n.Certificate)
	if err != nil {
		return c, env, err
	}
	if n.Partner != "" {
		if env, err = r.Environment(n.Partner, n.Environment); err != nil {
			return c, env, err
		}
	}
	c = r.shown(row)
	if !n.Kind.ToPartner() && n.Partner != "" {
		c.Environment = n.Partner + ", " + n.Environment
	}
	if of.ID == "" {
		return c, env, nil
	}
	c.Renewal, c.Step = of.ID, string(of.Step)
	c.NoNext = of.Owner == registry.Ours && of.Successor == ""
	if n.Kind.ToPartner() && n.To != registry.ToWebhook {
		next, err := r.nextOfOurs(of)
		if next != "" {
			c.What = "Install " + next + ", which you have from us"
		}
		return c, env, err
	}
	c.What, err = r.toDo(n, of)
	return c, env, err
}

// toDo says what comes next, to our own people: where they are to find or to call a contact, what the partner must do.
func (r rendering) toDo(n registry.Notice, of registry.Renewal) (string, error) {
	if _, why := (noticed{Renewal: of}).audience(r.now); why == WhyOverlap {
		return "end it: its overlap is over, and the next renewal can't begin before", nil
	}
	if n.Kind == registry.NoticeEscalation || n.Kind == registry.NoticeCall {
		next, err := r.nextOfOurs(of)
		switch {
		case of.Owner == registry.Theirs:
			return "the partner must send its next certificate", err
		case next != "":
			return "the partner must install " + next + ", and say so", err
		case err != nil:
			return "", err
		}
	}
	next, _, err := exchange.NextInRenewal(r.Reader, of, r.now)
	if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged {
		return "restore the row that can't be read", nil
	}
	return next.Text, err
}

// nextOfOurs names the certificate of ours that follows, so that the partner finds it; "": there is none.
func (r rendering) nextOfOurs(of registry.Renewal) (string, error) {
	if of.Owner != registry.Ours || of.Successor == "" {
		return "", nil
	}
	after, err := registry.CertificateOfKey(r.Reader, of.Leg, of.Successor)
	return "the certificate with the serial number " + serial(after), err
}

// serial returns the serial number of a certificate as mails write it.
func serial(c registry.Certificate) string {
	return notify.Certificate{SerialHex: c.Serial}.Hexadecimal()
}

// shown returns what mails say of a certificate.
func (r rendering) shown(c registry.Certificate) notify.Certificate {
	out := notify.Certificate{
		ID: c.ID, CommonName: c.CommonName, SerialHex: c.Serial, Alias: c.KeyID, Environment: c.Environment,
		Ours: c.Owner == registry.Ours, NotAfter: c.NotAfter, UseBy: c.EndOfUse(),
		DaysLeft: registry.DaysLeft(c.EndOfUse(), r.now), SHA256: cert.NewDigest(c.SHA256).Colons,
	}
	if n, ok := new(big.Int).SetString(c.Serial, 16); ok {
		out.SerialDecimal = n.String()
	}
	return out
}

// write renders the message. With more recipients it is a draft for a person.
func (r rendering) write(m *registry.Mail, f notify.Facts, more ...string) error {
	if m.To == registry.ToWebhook {
		return r.event(m, f)
	}
	subject, text, html, problem := r.templates.Render(f)
	if problem != nil {
		m.Words = problem.Error() // the built-in template was used
	}
	_, domain, _ := strings.Cut(f.From, "@")
	if m.MessageID == "" {
		m.MessageID = m.ID + "@" + domain
	}
	m.Subject = subject
	message := notify.Message{
		From: f.From, FromName: f.Sender, ReplyTo: f.Email, To: m.To, ToName: f.Contact,
		Draft: more != nil, AlsoTo: more, Subject: subject, ID: m.MessageID, Date: r.now, Text: text, HTML: html,
	}
	if message.ReplyTo == message.From {
		message.ReplyTo = ""
	}
	data, err := message.Bytes()
	m.Data = data
	return err
}

// event renders what the webhook gets.
func (r rendering) event(m *registry.Mail, f notify.Facts) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(map[string]any{
		"type": "certificate." + string(m.Kind), "timestamp": m.Planned.UTC().Format(time.RFC3339),
		"data": map[string]any{"mail": m.ID, "partner": m.Partner, "certificates": f.Certificates},
	})
	m.Data, m.Subject = out.Bytes(), string(m.Kind)
	return err
}

// Preview returns a mail as it was sent or, where it was not, as it would be sent now.
func Preview(
	ctx context.Context, v *registry.Viewer, id string, c *notify.Config, templates *notify.Templates,
) (m registry.Mail, message []byte, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		if m, err = tx.Mail(id); err != nil || m.Data != nil && m.State != registry.MailDeferred {
			return err
		}
		r := rendering{Reader: tx, config: c, templates: templates, now: v.Time()}
		facts, still, err := r.facts(m)
		if err != nil {
			return err
		}
		if !still {
			return registry.Refuse("mail %s is not due any more", id)
		}
		if facts.From == "" {
			facts.From = "nobody@sealane.invalid"
		}
		return r.write(&m, facts)
	})
	return m, m.Data, err
}

// Test sends a mail to an address that says that mails arrive. It is not in the outbox.
func (o *Outbox) Test(ctx context.Context, to string) notify.Result {
	now := o.Registry.Time()
	r := rendering{config: o.Config, templates: o.Templates, now: now}
	m := registry.Mail{ID: registry.NewMailID(), Kind: registry.NoticeSummary, To: to}
	facts := notify.Facts{Kind: notify.Summary, Now: now, Lines: []string{"This is a test: mails arrive."}}
	facts.From, facts.Sender = o.Config.From()
	facts.Email = o.Config.AnswersTo()
	if err := r.write(&m, facts); err != nil {
		return notify.Result{State: notify.Refused, Err: err}
	}
	return o.Mailer.Send(ctx, notify.Envelope{To: to, Tag: m.ID, Data: m.Data},
		func(context.Context) error { return nil })
}
