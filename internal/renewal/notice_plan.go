package renewal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

const (
	noticePage = 500 // renewals whose notices are planned in one transaction
	maxNoticed = 100 // notices in one mail
)

// notices plans the notices that are due, and withdraws those that are not any more. A renewal is looked
// at when a threshold has come, or when it, or its environment, has changed.
func (p *pass) notices(ctx context.Context) error {
	ours, err := p.ourPeople(ctx)
	if err != nil {
		return err
	}
	page := registry.Page{Limit: noticePage}
	for {
		if err := p.keepClaim(ctx); err != nil {
			return err
		}
		var damaged registry.DamagedRows
		var looked, planned, late int
		var alarms []Wait
		err := p.Registry.Store.Update(ctx, func(tx registry.Tx) (err error) {
			w := noticeWork{tx: tx, reader: tx, now: p.now, ours: ours, webhook: p.Webhook}
			if looked, damaged, err = w.page(&page); err != nil {
				return err
			}
			planned, late, alarms = len(w.added), w.late, w.alarms
			return nil
		})
		if err != nil {
			return err
		}
		p.report.Notices, p.report.Late = p.report.Notices+planned, p.report.Late+late
		for _, a := range alarms {
			p.report.wait(&p.report.Alarms, registry.Renewal{ID: a.Renewal, Leg: registry.Leg{Partner: a.Partner}},
				"%s", a.Text)
		}
		if looked+len(damaged) < noticePage {
			return nil
		}
	}
}

// ourPeople returns the addresses of our own people, each once.
func (p *pass) ourPeople(ctx context.Context) (to []string, err error) {
	err = p.session.View(ctx, func(tx registry.Reader) error {
		to, err = ourPeople(tx, p.Operations)
		return err
	})
	return to, err
}

// ourPeople returns the addresses that the configuration names or, if it names none, the operators'.
func ourPeople(tx registry.Reader, named []string) (to []string, err error) {
	if len(named) == 0 {
		people, _, err := registry.Readable(tx.People())
		if err != nil {
			return nil, err
		}
		for _, one := range people {
			if one.Revoked.IsZero() && slices.Contains(one.Roles, registry.Operator) && one.Email != "" {
				named = append(named, one.Email)
			}
		}
	}
	for _, address := range named {
		if !slices.ContainsFunc(to, func(o string) bool { return strings.EqualFold(o, address) }) {
			to = append(to, address)
		}
	}
	return to, nil
}

// noticeWork plans the notices of some renewals in one transaction.
type noticeWork struct {
	tx      registry.Tx
	reader  registry.Reader // what it reads from
	now     time.Time
	ours    []string
	webhook bool

	lanes        laneRows
	shared       map[string]registry.Rotation    // by renewal, of pairs that partners share
	certificates map[string]registry.Certificate // by identity, and by that of the key pair
	there        map[string][]registry.Notice    // by certificate

	added, withdrawn []registry.Notice
	looks            []registry.Look
	alarms           []Wait
	late             int // partners who were not told in time
}

// page plans the notices of the next renewals, and returns how many they were.
func (w *noticeWork) page(p *registry.Page) (looked int, damaged registry.DamagedRows, err error) {
	all, damaged, err := registry.Readable(w.tx.RenewalsToLook(w.now, *p))
	if err != nil || len(all)+len(damaged) == 0 {
		return 0, damaged, err
	}
	p.After = lastOf(all, damaged)
	if err := w.read(all); err != nil {
		return 0, damaged, err
	}
	for _, n := range all {
		w.renewal(n)
	}
	return len(all), damaged, w.store()
}

// read reads what the notices of some renewals depend on.
func (w *noticeWork) read(all []registry.Renewal) error {
	var partners, ids, pairs []string
	w.shared = map[string]registry.Rotation{}
	for _, n := range all {
		partners = append(partners, n.Partner)
		if n.Partner == "" {
			r, err := registry.RotationOf(w.reader, n.Leg, n.Replaces)
			if errors.Is(err, registry.ErrStore) {
				return err
			}
			w.shared[n.ID] = r
		}
		if exchange.IsKeyPair(n.Replaces) {
			pairs = append(pairs, n.Replaces)
		} else {
			ids = append(ids, n.Replaces)
		}
	}
	w.certificates, w.there = map[string]registry.Certificate{}, map[string][]registry.Notice{}
	if err := w.lanes.read(w.reader, partners); err != nil {
		return err
	}
	certificates, _, err := registry.Readable(w.reader.Certificates(registry.CertificateQuery{
		IDs: ids, KeyPairs: pairs, Brief: true, Page: registry.Page{Limit: 2 * noticePage},
	}))
	if err != nil {
		return err
	}
	for _, c := range certificates {
		w.certificates[c.ID] = c
		if c.Owner == registry.Ours {
			w.certificates[c.KeyPair] = c
		}
		ids = append(ids, c.ID)
	}
	there, _, err := registry.Readable(w.reader.Notices(ids))
	for _, n := range there {
		w.there[n.Certificate] = append(w.there[n.Certificate], n)
	}
	return err
}

// noticed returns a renewal with all that its notices depend on, and reports whether it can be read.
func (w *noticeWork) noticed(r registry.Renewal) (noticed, bool) {
	c, known := w.certificates[r.Replaces]
	partner, env, has := w.lanes.of(r.Partner, r.Environment)
	if r.Partner == "" {
		env.Rotation = w.shared[r.ID]
	}
	return noticed{
		Renewal: r, env: env, archived: !partner.Archived.IsZero(), certificate: c, ours: w.ours, webhook: w.webhook,
		there: w.there[c.ID],
	}, known && has
}

// renewal plans the notices of one renewal.
func (w *noticeWork) renewal(r registry.Renewal) {
	n, known := w.noticed(r)
	if !known {
		w.alarm(r, "whether a notice is due can't be seen: its rows can't be read")
		w.looks = append(w.looks, registry.Look{About: r.ID, At: w.now.Add(time.Hour)})
		return
	}
	p := n.plan(w.now)
	same := func(a, b registry.Notice) bool { return a.By(b) == 0 }
	for _, wanted := range p.notices {
		there := slices.IndexFunc(n.there, func(o registry.Notice) bool { return same(o, wanted) })
		if there < 0 || n.there[there].Outcome == registry.NoticeWithdrawn {
			wanted.Planned = w.now
			w.added = append(w.added, wanted)
		}
	}
	for _, o := range n.there {
		if o.Outcome == "" && o.Renewal == r.ID &&
			!slices.ContainsFunc(p.notices, func(wanted registry.Notice) bool { return same(o, wanted) }) {
			o.Outcome, o.Why = registry.NoticeWithdrawn, string(p.why)
			w.withdrawn = append(w.withdrawn, o)
		}
	}
	alarms := len(w.alarms)
	switch {
	case p.why == WhyNoContact:
		w.alarm(r, "%s has no contact in %s to whom mails can be delivered, and %s ends on %s", r.Partner,
			r.Environment, r.Replaces, n.end().Format(time.DateOnly))
	case p.why == WhyNobodyOurs:
		w.alarm(r, "no address of our own people is known: name one (operations, in the configuration of mails)")
	}
	if n.late(w.now) {
		w.late++
		w.alarm(r, "%s was not told that %s ends on %s, and that is nearer than %d days", r.Partner, r.Replaces,
			n.end().Format(time.DateOnly), registry.NoticeAsked)
	}
	if len(w.alarms) == alarms { // else it is looked at again, until there is no reason for the alarm
		w.looks = append(w.looks, registry.Look{About: r.ID, At: p.next})
	}
}

// store stores the notices, each in a mail of its recipient, and withdraws mails that have none any more.
func (w *noticeWork) store() error {
	if err := w.withdraw(); err != nil {
		return err
	}
	mails, err := w.mails()
	if err != nil {
		return err
	}
	var fresh []registry.Mail
	for i := range w.added {
		n := &w.added[i]
		_, env, _ := w.lanes.of(n.Partner, n.Environment)
		from := ""
		if n.Kind.ToPartner() {
			from = env.MailFrom
		}
		key := mailKey(n.Kind, n.Partner, n.To, from)
		m := mails[key]
		if m == nil || m.count == maxNoticed {
			m = &openMail{id: registry.NewMailID()}
			mails[key] = m
			about := registry.Mail{ID: m.id, Kind: n.Kind, To: n.To, State: registry.MailPlanned, Next: w.now,
				Planned: w.now, From: from}
			if n.Kind.ToPartner() {
				about.Partner = n.Partner
			}
			fresh = append(fresh, about)
		}
		n.Mail = m.id
		m.count++
	}
	for i := range w.looks {
		if day := w.now.AddDate(0, 0, 1); w.looks[i].At.After(day) {
			w.looks[i].At = day
		}
	}
	return errors.Join(w.tx.AddMails(fresh), w.tx.PutNotices(w.added), w.tx.Looked(w.looks))
}

// openMail is a mail that takes more notices.
type openMail struct {
	id    string
	count int
}

// mailKey tells the mails apart that notices are collected in: no mail has those of two partners, but for
// our own people, and none those of two senders.
func mailKey(kind registry.NoticeKind, partner, to, from string) string {
	if !kind.ToPartner() {
		partner = ""
	}
	return string(kind) + "\n" + partner + "\n" + strings.ToLower(to) + "\n" + from
}

// mails returns the mails to the recipients that are not being sent.
func (w *noticeWork) mails() (map[string]*openMail, error) {
	var to []string
	for _, n := range w.added {
		to = append(to, n.To)
	}
	open := map[string]*openMail{}
	if to == nil {
		return open, nil
	}
	all, _, err := registry.Readable(w.tx.MailsTo(to))
	for _, m := range all {
		if m.Key != "" {
			continue
		}
		notices, _, err := registry.Readable(w.tx.NoticesOf(m.ID))
		if err != nil {
			return nil, err
		}
		open[mailKey(m.Kind, m.Partner, m.To, m.From)] = &openMail{m.ID, len(notices)}
	}
	return open, err
}

// withdraw withdraws notices, and the mails that have no other.
func (w *noticeWork) withdraw() error {
	if w.withdrawn == nil {
		return nil
	}
	var mails []string
	for _, n := range w.withdrawn {
		if !slices.Contains(mails, n.Mail) {
			mails = append(mails, n.Mail)
		}
	}
	for _, id := range mails {
		m, err := w.tx.Mail(id)
		if missing(err) != nil {
			return err
		}
		if m.State == registry.MailSending || m.State == registry.MailUncertain { // the recipient may have it
			w.withdrawn = slices.DeleteFunc(w.withdrawn, func(n registry.Notice) bool { return n.Mail == id })
		}
	}
	if err := w.tx.PutNotices(w.withdrawn); err != nil {
		return err
	}
	for _, id := range mails {
		if err := withdrawFrom(w.tx, id, w.now); err != nil {
			return err
		}
	}
	return nil
}

// withdrawFrom withdraws a mail of notices of which none waits. One that has others, and is about to be sent, is
// written again.
func withdrawFrom(tx registry.Tx, id string, now time.Time) error {
	m, err := tx.Mail(id)
	if err != nil {
		return missing(err)
	}
	if m.State == registry.MailSending || m.State == registry.MailUncertain || m.Key != "" {
		return nil
	}
	notices, _, err := registry.Readable(tx.NoticesOf(id))
	waits := func(n registry.Notice) bool { return n.Outcome == "" }
	switch {
	case err != nil || m.State.Ended():
		return err
	case !slices.ContainsFunc(notices, waits):
		m.State, m.Ended = registry.MailWithdrawn, now
	case m.State == registry.MailClaimed:
		m.State, m.Next = registry.MailPlanned, now
	default:
		return nil
	}
	return tx.PutMail(&m)
}

// withdrawRest withdraws the notices in a mail that have nobody to go to, or nothing to say: all but those about
// some certificates. What is still due is planned again.
func withdrawRest(tx registry.Tx, mail string, but []notify.Certificate) error {
	notices, _, err := registry.Readable(tx.NoticesOf(mail))
	if err != nil {
		return err
	}
	notices = slices.DeleteFunc(notices, func(n registry.Notice) bool {
		said := func(c notify.Certificate) bool { return c.ID == n.Certificate }
		return n.Outcome != "" || slices.ContainsFunc(but, said)
	})
	for i := range notices {
		notices[i].Outcome = registry.NoticeWithdrawn
		notices[i].Why = "the recipient is no contact any more, or its rows can't be read"
	}
	return tx.PutNotices(notices)
}

func (w *noticeWork) alarm(n registry.Renewal, format string, args ...any) {
	var r Report
	r.wait(&r.Alarms, n, format, args...)
	if len(w.alarms) < maxListed {
		w.alarms = append(w.alarms, r.Alarms...)
	}
}
