package renewal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/store"
)

// mailCrash is what a process that sends mails does until it is killed.
type mailCrash struct {
	Address       string // of the database
	Server, Armed string // the mail server, and the file by which sending is armed
	Time          time.Time
	Stage         string // at which it is killed; empty: its parent kills it
	At            int    // how often it has reached the stage then
}

// mailCrashChild runs the schedule and sends mails, and is killed at a stage of one.
func mailCrashChild(words string) {
	var c mailCrash
	dieOf(json.Unmarshal([]byte(words), &c))
	ctx := context.Background()
	db, err := store.Open(ctx, c.Address, store.Options{})
	dieOf(err)
	config := &notify.Config{
		Mail: &notify.MailConfig{
			Server: c.Server, TLS: "none", From: "notices@company.example", FromName: "Company",
		},
		Answers:   notify.Answers{Name: "Kim Day", Email: "keys@company.example", Telephone: "+1 555 0100"},
		ArmedFile: c.Armed, Host: "test",
	}
	mailer, err := notify.NewMailer(config)
	dieOf(err)
	templates, _ := notify.LoadTemplates("")
	r := &registry.Registry{Store: db, Now: func() time.Time { return c.Time }}
	_, err = (&renewal.Scheduler{Registry: r, Holder: "one"}).Pass(ctx)
	dieOf(err)
	o := &renewal.Outbox{
		Registry: r, Holder: "one", Config: config, Mailer: mailer, Templates: templates, Database: database,
		Sending: func(stage string) {
			if stage != c.Stage {
				return
			}
			if c.At--; c.At == 0 {
				os.Stdout.WriteString("killed here\n")
				self, err := os.FindProcess(os.Getpid())
				dieOf(err)
				dieOf(self.Kill())
				select {}
			}
		},
	}
	_, err = o.Send(ctx)
	dieOf(err)
	os.Exit(0)
}

// run sends mails in a process of its own, which is killed, and reports whether it was.
func (c mailCrash) run(p *posts) (killed bool) {
	p.t.Helper()
	c.Time = p.now
	words, err := json.Marshal(c)
	p.must(err)
	executable, err := os.Executable()
	p.must(err)
	ctx := p.t.Context()
	if c.Stage == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond+rand.N(80*time.Millisecond))
		defer cancel()
	}
	child := exec.CommandContext(ctx, executable)
	child.Env = append(os.Environ(), "SEALANE_CRASH_MAIL="+string(words))
	out, err := child.CombinedOutput()
	killed = ctx.Err() != nil || strings.Contains(string(out), "killed here")
	if err != nil && !killed {
		p.t.Fatalf("killed at %q: %v: %s", c.Stage, err, out)
	}
	return killed
}

// A program is killed at each stage of sending, and at any time. No mail is lost. The server has a mail twice
// only where the kill came after its bytes could be on their way, with the same bytes, and never more often.
func TestSendingKilled(t *testing.T) {
	onBothMailed(t, func(t *testing.T, h *company, at string) {
		p := h.sends(t, smtptest.New(t, smtptest.Options{}))
		kills, uncertain := 0, 0
		least := proof(20, 120)
		p.plan(2 * least)
		p.planNotices(2 * least)
		c := mailCrash{Address: at, Server: p.server.Address, Armed: p.outbox.Config.ArmedFile}
		stages := []string{"claim", "sending", "data", "answered", ""}
		for i := 0; kills < least && i < 4*least; i++ {
			c.Stage, c.At = stages[i%len(stages)], 1+rand.N(3)
			if c.run(p) {
				kills++
				if c.Stage == "data" || c.Stage == "answered" || c.Stage == "" {
					uncertain++
				}
			}
			p.now = p.now.Add(11 * time.Minute)
		}
		if kills < least {
			t.Errorf("only %d kills, want %d", kills, least)
		}
		for range 10 {
			_, err := p.outbox.Send(t.Context())
			p.must(err)
			p.now = p.now.Add(11 * time.Minute)
		}
		twice, unknown := p.taken()
		if twice+unknown > uncertain {
			t.Errorf("%d mails twice and %d unknown, with %d kills that may lead to it", twice, unknown, uncertain)
		}
		t.Logf("%d kills: %d mails twice, %d unknown", kills, twice, unknown)
	})
}

// onBothMailed runs a test on each database with its address.
func onBothMailed(t *testing.T, test func(t *testing.T, h *company, at string)) {
	t.Parallel()
	for name, address := range databases {
		t.Run(name, func(t *testing.T) {
			at := address(t)
			test(t, newCompany(t, at), at)
		})
	}
}

// plan plans mails to our own people.
func (p *posts) plan(n int) {
	p.t.Helper()
	var all []registry.Mail
	for i := range n {
		all = append(all, registry.Mail{
			ID: registry.NewMailID(), Kind: registry.NoticeSummary, To: fmt.Sprintf("p%d@company.example", i),
			State: registry.MailPlanned, Planned: p.now, Next: p.now,
		})
	}
	p.must(p.Store.Update(p.t.Context(), func(tx registry.Tx) error { return tx.AddMails(all) }))
}

// planNotices plans the mail of a notice to as many partners.
func (p *posts) planNotices(n int) {
	p.t.Helper()
	p.must(p.Store.Update(p.t.Context(), func(tx registry.Tx) (err error) {
		for i := 0; i < n && err == nil; i++ {
			if err = p.filled(tx, i, 60, true); err == nil {
				err = p.opened(tx, i)
			}
		}
		return err
	}))
	if report := p.pass(); report.Notices != n {
		p.t.Errorf("%d notices are planned, want %d", report.Notices, n)
	}
}

// noted fails the test unless the notices of a mail that was accepted say so, and their renewals know it.
func (p *posts) noted(tx registry.Reader, m registry.Mail) error {
	p.t.Helper()
	notices, err := tx.NoticesOf(m.ID)
	if err != nil {
		return err
	}
	if m.Kind == registry.NoticeTheirs && len(notices) == 0 {
		p.t.Errorf("the mail to %s has no notice", m.To)
	}
	for _, o := range notices {
		n, err := tx.Renewal(o.Renewal)
		if err != nil {
			return err
		}
		if o.Outcome != registry.NoticeAccepted || len(n.Notices) != 1 || n.Notices[0].Mail != m.ID ||
			n.Step != registry.RenewalAsked {
			p.t.Errorf("the mail to %s was accepted: %+v, %s, %+v", m.To, o, n.Step, n.Notices)
		}
	}
	return nil
}

// taken compares the mails of the database with those that the server took. It returns how many it has
// twice, and of how many nobody knows.
func (p *posts) taken() (twice, unknown int) {
	p.t.Helper()
	took := map[string][][]byte{}
	for _, m := range p.server.Mails() {
		to := m.To
		if _, path, raw := strings.Cut(m.To, "<"); raw { // as a raw server was told
			to, _, _ = strings.Cut(path, ">")
		}
		took[to] = append(took[to], m.Data)
	}
	var all []registry.Mail
	p.must(p.Store.View(p.t.Context(), func(tx registry.Reader) (err error) {
		all, err = tx.Mails(registry.MailQuery{Page: registry.Page{Limit: 1000}})
		for _, m := range all {
			if m.State == registry.MailAccepted && err == nil {
				err = p.noted(tx, m)
			}
		}
		return err
	}))
	for _, m := range all {
		copies := took[m.To]
		switch {
		case m.State == registry.MailUnknown:
			unknown++
		case m.State != registry.MailAccepted || len(copies) == 0:
			p.t.Errorf("the mail to %s is %s, and the server took it %d times", m.To, m.State, len(copies))
		}
		if len(copies) > 2 {
			p.t.Errorf("the server took the mail to %s %d times", m.To, len(copies))
		}
		if len(copies) == 2 {
			twice++
			if !bytes.Equal(copies[0], copies[1]) || !bytes.Contains(copies[0], []byte(m.MessageID)) {
				p.t.Errorf("the mails to %s differ: %q and %q", m.To, copies[0], copies[1])
			}
		}
		delete(took, m.To)
	}
	if len(took) > 0 {
		p.t.Errorf("the server took mails that have no row: %d", len(took))
	}
	return twice, unknown
}
