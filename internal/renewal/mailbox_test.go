package renewal_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/mailserver"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

const database = "sqlite:registry.db"

// posts is a company that sends its mails to a server.
type posts struct {
	*company
	outbox *renewal.Outbox
	server *smtptest.Server
	told   int // how many mails were compared
}

// sends makes a company send mails by a server, armed.
func (h *company) sends(t testing.TB, s *smtptest.Server) *posts {
	t.Helper()
	c := s.Config(t)
	c.ArmedFile, c.Host = filepath.Join(t.TempDir(), "armed"), "test"
	m, err := notify.NewMailer(c)
	h.must(err)
	templates, problems := notify.LoadTemplates("")
	if problems != nil {
		t.Fatal(problems)
	}
	p := &posts{company: h, server: s, outbox: &renewal.Outbox{
		Registry: h.Registry, Holder: "one", Config: c, Mailer: m, Templates: templates, Database: database,
	}}
	h.schedule.Operations = c.Operations
	p.arm()
	return p
}

// arm arms sending for this installation.
func (p *posts) arm() {
	p.t.Helper()
	p.must(p.Store.Update(p.t.Context(), func(tx registry.Tx) error { return tx.SetInstallation("i-1", p.now) }))
	p.must(p.outbox.Config.Arm(database, "i-1", p.now))
}

// tick is one pass, and the sending after it.
func (p *posts) tick() (renewal.Report, renewal.Sent) {
	p.t.Helper()
	report := p.pass()
	sent, err := p.outbox.Send(p.t.Context())
	p.must(err)
	return report, sent
}

// mails returns the mails that came since the last call: to whom, and the subject.
func (p *posts) mails() (lines []string) {
	p.t.Helper()
	all := p.server.Mails()[p.told:]
	for i, l := range p.letters() {
		lines = append(lines, fmt.Sprintf("%s: %s", all[i].To, l.Subject))
	}
	return lines
}

// letters returns the mails that came since the last call, as their readers see them.
func (p *posts) letters() (came []mailserver.Letter) {
	p.t.Helper()
	all := p.server.Mails()
	for _, m := range all[p.told:] {
		l, err := m.Letter()
		p.must(err)
		came = append(came, l)
	}
	p.told = len(all)
	return came
}
