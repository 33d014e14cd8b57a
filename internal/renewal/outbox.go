package renewal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// Outbox sends the mails that are planned. Several may run on one registry: each mail is claimed by one.
//
// A mail goes from planned to claimed, where it is rendered, and to sending, which is stored before the
// first byte of the message. If a program ends there, or a connection ends before the server's answer, the
// recipient may have the mail. It is sent once more then, with the same bytes and the same Message-ID.
type Outbox struct {
	Registry  *registry.Registry
	Holder    string
	Config    *notify.Config
	Mailer    *notify.Mailer // nil: no mail server is named
	Hook      *notify.Hook   // nil: no webhook is named
	Templates *notify.Templates
	Database  string // its name, for which sending is armed

	ends time.Time // of the mail server's certificate, as of the last attempt
	// Sending is called at each stage of a mail, for tests that end the program there.
	Sending func(stage string)
}

// Sent says what was sent, and what waits.
type Sent struct {
	Accepted  int `json:"accepted,omitempty"`
	Deferred  int `json:"deferred,omitempty"`
	Refused   int `json:"refused,omitempty"`
	Uncertain int `json:"uncertain,omitempty"`
	Withdrawn int `json:"withdrawn,omitempty"`
	// Waiting is how many mails wait, by their states.
	Waiting map[string]int `json:"waiting,omitempty"`
	Oldest  time.Time      `json:"oldest,omitzero"` // when the oldest of them was planned
	// Stuck reports whether mails wait for too long, or because sending is not armed. Nobody may be told
	// that a certificate ends then, so the address outside is not called.
	Stuck  bool   `json:"stuck,omitempty"`
	Alarms []Wait `json:"alarms,omitempty"`
	// MailServerEnds and WebhookEnds are when the certificates end that these servers have presented last;
	// zero: there was no connection yet, or none with TLS.
	MailServerEnds time.Time `json:"mail_server_ends,omitzero"`
	WebhookEnds    time.Time `json:"webhook_ends,omitzero"`
}

const (
	claimedMail = 30 * time.Minute // that a program has for one mail
	attemptTime = 20 * time.Minute // that an attempt may take: less than that
	sendTime    = time.Minute      // after which a call takes no other mail
	sendAtOnce  = 200              // mails of one call
	waitsLong   = Patience         // after which a mail that waits is an alarm
	uncertainly = 5 * time.Minute  // before a mail is sent once more
	maxBackoff  = 4 * time.Hour

	hookFailed = 1                  // in the place of a mail server's code
	hookDays   = 7 * 24 * time.Hour // for which an event is tried
)

// Send sends mails that are due, and then what the webhook gets: until there is no more, the server is away, or the
// limit of one call is reached. While sending is not armed it sends nothing, and says so in an alarm.
func (o *Outbox) Send(ctx context.Context) (s Sent, err error) {
	s.Waiting = map[string]int{}
	armed := o.armed(ctx)
	if armed == nil {
		for _, webhook := range []bool{false, true} {
			if err := o.sendTo(ctx, webhook, &s); err != nil {
				return s, err
			}
		}
	}
	return s, o.waiting(ctx, &s, armed)
}

// sendTo sends to one server: that of mails or the webhook's.
func (o *Outbox) sendTo(ctx context.Context, webhook bool, s *Sent) error {
	began := o.Registry.Time()
	for range sendAtOnce {
		if o.Registry.Time().Sub(began) > sendTime {
			break
		}
		m, ends, err := o.claim(ctx, webhook, s)
		if err != nil || m == nil {
			return err
		}
		if ends != "" {
			if err := o.unsendable(ctx, m, ends, s); err != nil {
				return err
			}
			continue
		}
		if away, err := o.send(ctx, m, s); err != nil || away {
			return err
		}
	}
	return nil
}

// armed returns why nothing may be sent, or nil.
func (o *Outbox) armed(ctx context.Context) error {
	var installation string
	err := o.Registry.Store.View(ctx, func(tx registry.Reader) (err error) {
		installation, err = tx.Installation()
		return err
	})
	if err != nil {
		return err
	}
	return o.Config.Armed(o.Database, installation)
}

// waiting counts what waits, and has an alarm where that is for long, or because sending is not armed.
func (o *Outbox) waiting(ctx context.Context, s *Sent, armed error) error {
	var counts []registry.MailCount
	err := o.Registry.Store.View(ctx, func(tx registry.Reader) (err error) {
		counts, err = tx.MailCounts()
		return err
	})
	total := 0
	for _, c := range counts {
		s.Waiting[string(c.State)] = c.Count
		total += c.Count
		if s.Oldest.IsZero() || c.Oldest.Before(s.Oldest) {
			s.Oldest = c.Oldest
		}
	}
	var alarms Report
	s.Stuck = total > 0 && (armed != nil || o.Registry.Time().Sub(s.Oldest) > waitsLong)
	s.MailServerEnds, s.WebhookEnds = o.ends, o.webhookEnds()
	for _, text := range o.serversEnd(o.Registry.Time()) {
		alarms.wait(&s.Alarms, registry.Renewal{}, "%s", text)
	}
	switch {
	case total > 0 && armed != nil:
		alarms.wait(&s.Alarms, registry.Renewal{}, "mails wait (%d), and none is sent: %v", total, armed)
	case s.Stuck:
		alarms.wait(&s.Alarms, registry.Renewal{}, "mails wait (%d), the oldest since %s",
			total, s.Oldest.UTC().Format(time.DateTime))
	}
	return err
}

// stage tells tests where the program is.
func (o *Outbox) stage(name string) {
	if o.Sending != nil {
		o.Sending(name)
	}
}

// unsendable ends a mail that can't be sent, or of which nobody knows whether it has arrived.
func (o *Outbox) unsendable(ctx context.Context, m *registry.Mail, ends registry.MailState, s *Sent) error {
	var alarms Report
	alarms.wait(&s.Alarms, registry.Renewal{Leg: registry.Leg{Partner: m.Partner}}, "the mail %s to %s is %s: %s",
		m.ID, m.To, ends, m.Words)
	return o.end(ctx, m, ends, registry.NoticeUnknown) // the address may be right
}

// claim takes the next mail that is due, and renders it. It returns nil if there is none, and the state in
// which a mail ends that is not to be sent.
func (o *Outbox) claim(
	ctx context.Context, webhook bool, s *Sent,
) (claimed *registry.Mail, ends registry.MailState, err error) {
	now := o.Registry.Time()
	o.stage("claim")
	err = o.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		claimed, ends = nil, ""
		due, _, err := registry.Readable(tx.MailsDue(now, webhook, sendAtOnce))
		if err != nil {
			return err
		}
		for _, m := range due {
			if !o.can(m) { // others must not wait behind it
				m.Next = now.Add(time.Hour)
				if err := tx.PutMail(&m); err != nil {
					return err
				}
				continue
			}
			ready, as, err := o.take(tx, &m, now)
			if err != nil {
				return err
			}
			if ready {
				claimed, ends = &m, as
				return nil
			}
			s.Withdrawn++
		}
		return nil
	})
	if errors.Is(err, registry.ErrConflict) { // another program has it
		return nil, "", nil
	}
	return claimed, ends, err
}

// can reports whether there is a way to the mail's recipient.
func (o *Outbox) can(m registry.Mail) bool {
	if m.To == registry.ToWebhook {
		return o.Hook != nil
	}
	return o.Mailer != nil
}

// take claims one mail, and reports whether there is something to do with it: it is sent or, without that,
// ends in a state.
func (o *Outbox) take(
	tx registry.Tx, m *registry.Mail, now time.Time,
) (ready bool, ends registry.MailState, err error) {
	if *m, err = tx.Mail(m.ID); err != nil {
		return false, "", err
	}
	if m.State == registry.MailSending { // the program that sent it has ended
		m.Uncertain++
	}
	switch {
	case m.Uncertain > 1:
		ends, m.Words = registry.MailUnknown, "the connection ended before the server's answer, twice"
	case m.Uncertain == 0:
		still, err := o.render(tx, m, now)
		switch {
		case errors.Is(err, registry.ErrStore) || errors.Is(err, registry.ErrConflict):
			return false, "", err
		case err != nil: // the others must not wait for it
			ends, m.Words = registry.MailRefused, err.Error()
		case !still:
			return false, "", nil
		}
	}
	m.State, m.Holder, m.Next = registry.MailClaimed, o.Holder, now.Add(claimedMail)
	return true, ends, tx.PutMail(m)
}

// send sends one mail that was claimed, and reports whether the server is away.
func (o *Outbox) send(ctx context.Context, m *registry.Mail, s *Sent) (away bool, err error) {
	result := o.transmit(ctx, m)
	o.stage("answered")
	if !result.ServerEnds.IsZero() {
		o.ends = result.ServerEnds
	}
	if ctx.Err() != nil && result.State != notify.Accepted {
		return true, ctx.Err() // another call finds it as it is stored
	}
	m.Code, m.Words, m.DSN = result.Code, result.Words, result.DSN
	if result.Words == "" && result.Err != nil {
		m.Words = result.Err.Error()
	}
	m.Attempts++
	now := o.Registry.Time()
	switch result.State {
	case notify.Accepted:
		s.Accepted++
		return false, o.end(ctx, m, registry.MailAccepted, registry.NoticeAccepted)
	case notify.Refused:
		s.Refused++
		err := o.end(ctx, m, registry.MailRefused, registry.NoticeRefused)
		var alarms Report
		alarms.wait(&s.Alarms, registry.Renewal{Leg: registry.Leg{Partner: m.Partner}},
			"the mail %s to %s was refused: %d %s", m.ID, m.To, m.Code, m.Words)
		return false, err
	case notify.Unknown:
		s.Uncertain++
		if m.Uncertain++; m.Uncertain > 1 {
			return true, o.unsendable(ctx, m, registry.MailUnknown, s)
		}
		m.State, m.Next = registry.MailUncertain, now.Add(uncertainly)
	default:
		s.Deferred++
		m.State, m.Next = registry.MailDeferred, now.Add(backoff(m.Attempts))
		if m.Uncertain > 0 { // the bytes stay as they are
			m.State = registry.MailUncertain
		}
		away = m.To == registry.ToWebhook || beforeRecipient(result.Stage)
	}
	err = o.Registry.Store.Update(ctx, func(tx registry.Tx) error { return tx.PutMail(m) })
	if errors.Is(err, registry.ErrConflict) {
		err = nil // it was taken over meanwhile
	}
	return away, err
}

// beforeRecipient reports whether an attempt ended before the mail's recipient was named: the next mail would fare
// the same, and a server may lock an account after many logins with a wrong password.
func beforeRecipient(s notify.Stage) bool {
	return slices.Contains([]notify.Stage{
		notify.StageConnect, notify.StageHello, notify.StageTLS, notify.StageLogin, notify.StageSender,
	}, s)
}

// backoff returns how long a mail waits after a number of attempts.
func backoff(attempts int) time.Duration {
	wait := time.Minute
	for range min(attempts-1, 10) {
		wait *= 2
	}
	return min(wait, maxBackoff)
}

// transmit sends the bytes. Before the first of them it stores that it does so.
func (o *Outbox) transmit(ctx context.Context, m *registry.Mail) notify.Result {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	sending := func(ctx context.Context) error {
		o.stage("sending")
		m.Next = o.Registry.Time().Add(claimedMail)
		err := o.Registry.Store.Update(ctx, func(tx registry.Tx) error {
			m.State = registry.MailSending
			return tx.PutMail(m)
		})
		o.stage("data")
		return err
	}
	if m.To != registry.ToWebhook {
		return o.Mailer.Send(ctx, notify.Envelope{To: m.To, Tag: m.ID, Data: m.Data}, sending)
	}
	if err := sending(ctx); err != nil {
		return notify.Result{State: notify.Deferred, Err: err}
	}
	if err := o.Hook.Post(ctx, m.ID, o.Registry.Time(), m.Data); err != nil {
		result := notify.Result{State: notify.Deferred, Code: hookFailed, Err: err}
		if o.Registry.Time().Sub(m.Planned) > hookDays {
			result.State = notify.Refused
		}
		return result
	}
	return notify.Result{State: notify.Accepted}
}

// end ends a mail, and records that.
func (o *Outbox) end(
	ctx context.Context, m *registry.Mail, state registry.MailState, outcome registry.Outcome,
) error {
	s := o.Registry.Program()
	return endMail(ctx, s, m.ID, func(tx registry.Tx, stored *registry.Mail) error {
		version := stored.Version
		if version != m.Version {
			return fmt.Errorf("mail %s: %w", m.ID, registry.ErrConflict)
		}
		*stored = *m
		stored.State, stored.Ended = state, s.Time()
		return nil
	}, outcome)
}
