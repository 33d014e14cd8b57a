package demo

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/mailserver"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// The people in the mails.
const (
	primary    = "nina.roe@acme.example"
	alternate  = "omar.diaz@acme.example"
	support    = "support@acme.example"
	operations = "pki@company.example"
	sender     = "keys@company.example"
)

// play is two years of two companies: a certificate of each ends, and is followed by the next. Its clock is its own.
type play struct {
	*scenario
	us, them  *side
	clock     time.Time
	stride    time.Duration // in which time goes by
	mailbox   *mailserver.Server
	read      int             // how many mails of it were looked at
	shown     map[string]bool // kinds of mails whose text was shown
	verbose   bool
	summaries int
	messages  int               // that went each way
	talked    time.Time         // when the last of them did
	keys      map[string]string // what the report calls a key, by its fingerprint
	alarms    []string          // of our schedule, since the last step
}

// playRenewals plays a renewal of each side.
func playRenewals(r *report, s *services, o Options) error {
	base, err := newScenario(r, s, o, "riskos", "PROD")
	if err != nil {
		return err
	}
	start := cmp.Or(o.Start, time.Now()).UTC()
	p := &play{
		scenario: base, verbose: o.Verbose, shown: map[string]bool{}, keys: map[string]string{},
		clock: time.Date(start.Year(), start.Month(), start.Day(), 9, 0, 0, 0, time.UTC),
	}
	p.now, p.rotation = func() time.Time { return p.clock }, registry.Rotation{Slots: 2, Quiet: quietDays}
	began := time.Now()
	p.part("Two years, played: the certificate of a partner ends, and later ours does; every mail is shown")
	if err := p.begin(); err != nil {
		return err
	}
	p.stride = week
	theirs := p.inUse(p.them, p.us, theirFirst, 1)
	ours := p.inUse(p.us, p.them, ourFirst, 2)
	p.theirs(theirs)
	p.ours(ours)
	p.end(time.Since(began))
	return nil
}

// begin makes the two companies, and the mail server.
func (p *play) begin() (err error) {
	if p.us, err = p.openSide("company", "acme", sealane.ServerSide); err != nil {
		return err
	}
	if p.them, err = p.openSide("acme", "company", sealane.ClientSide); err != nil {
		return err
	}
	for _, c := range []registry.Contact{
		{Role: registry.Primary, Name: "Nina Roe", Email: primary},
		{Role: registry.Alternate, Name: "Omar Diaz", Email: alternate},
		{Role: registry.Support, Name: "Support", Email: support},
	} {
		if err := p.us.operator.SetContact(p.ctx, p.us.name(), c); err != nil {
			return err
		}
	}
	if p.mailbox, err = mailserver.Start(mailserver.Options{}); err != nil {
		return err
	}
	p.closing = append(p.closing, p.mailbox.Close)
	return p.arm()
}

// arm has our schedule send mails by the mail server.
func (p *play) arm() error {
	c := &notify.Config{
		Mail: &notify.MailConfig{
			Server: p.mailbox.Address(), TLS: "none", From: sender, FromName: "Company, key management",
			Hello: "sealane.example",
		},
		Answers:    notify.Answers{Name: "Kim Day", Telephone: "+1 555 0100"},
		Operations: []string{operations}, ArmedFile: filepath.Join(p.folder, "notify.armed"), Host: "demo",
	}
	const database = "sqlite:registry.db"
	problems, err := p.us.schedule.Notify(c, database)
	if err := errors.Join(append(problems, err)...); err != nil {
		return err
	}
	return p.us.agreed("the demo", func(s *registry.Session) error {
		installation, err := renewal.Arm(p.ctx, s, sender)
		if err != nil {
			return err
		}
		return c.Arm(database, installation, p.clock)
	})
}

// on is a step on a day of the play: time goes by until then, and the work is done. After a step that failed there
// are no others, because each depends on those before it.
func (p *play) on(at time.Time, text string, work func(*notes) error) {
	if p.failed > 0 {
		return
	}
	p.step(at.Format(time.DateOnly)+"  "+text, func(n *notes) error {
		if err := p.until(at); err != nil {
			return err
		}
		return work(n)
	})
}

// after is on for a time from now.
func (p *play) after(d time.Duration, text string, work func(*notes) error) {
	p.on(p.clock.Add(d), text, work)
}

// How time goes by: while nothing is due, while people are written to, and while the use of a key is watched, which
// takes a pass each hour.
const (
	day  = 24 * time.Hour
	week = 7 * day
	hour = time.Hour
)

const quietDays = 7 // without use, after which a key can be retired

// until lets time go by, in steps of the play's stride: our schedule runs, and each day a message goes each way.
func (p *play) until(at time.Time) error {
	for p.clock.Before(at) {
		p.clock = p.clock.Add(min(p.stride, at.Sub(p.clock)))
		err := p.pass()
		if err == nil && !p.clock.Before(p.talked.Add(day)) {
			_, err = p.exchange(nil)
		}
		if err != nil {
			return fmt.Errorf("on %s: %w", p.clock.Format(time.DateOnly), err)
		}
	}
	return nil
}

// pass runs our schedule once.
func (p *play) pass() error {
	report, err := p.us.pass(p.ctx)
	for _, a := range report.Alarms {
		p.alarms = append(p.alarms, a.Text)
	}
	return err
}

// minutes lets a quarter of an hour go by, in which both schedules do what is due one after the other.
func (p *play) minutes() error {
	for range 3 {
		p.clock = p.clock.Add(5 * time.Minute)
		if _, err := p.them.pass(p.ctx); err != nil {
			return fmt.Errorf("the schedule of %s: %w", p.them.company.name, err)
		}
		if err := p.pass(); err != nil {
			return err
		}
	}
	return nil
}

// end is the last step: what was counted.
func (p *play) end(took time.Duration) {
	p.part("At the end")
	p.after(0, "nothing was lost", func(n *notes) error {
		n.add("%d messages went each way, and each was opened", p.messages)
		n.add("%d mails were sent, and daily summaries", p.read-p.summaries)
		for _, d := range []*side{p.us, p.them} {
			report, err := d.VerifyRows(p.ctx)
			if err != nil {
				return err
			}
			if !report.Holds {
				return fmt.Errorf("the registry of %s does not agree with its audit log: %v", d.company.name, report)
			}
		}
		n.add("the audit logs of both agree with their registries")
		n.add("two years took %.1f s", took.Seconds())
		return nil
	})
}
