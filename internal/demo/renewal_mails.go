package demo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/mailserver"
)

// letter is a mail that the server took.
type letter struct {
	mailserver.Letter
	kind string // what was expected in its subject
	data []byte // the whole mail
}

// expected is a mail that a step waits for: to whom, and what is in its subject.
type expected struct{ to, subject string }

// mails writes the mails that have come under a step, and compares them with those that were expected. Of the daily
// summaries the first is written.
func (p *play) mails(n *notes, want ...expected) (came []letter, err error) {
	all := p.mailbox.Mails()
	for _, m := range all[p.read:] {
		read, err := m.Letter()
		if err != nil {
			return nil, err
		}
		l := letter{Letter: read, data: m.Data}
		if strings.HasPrefix(l.Subject, "Certificates on ") {
			p.summary(n, l)
			continue
		}
		came = append(came, l)
	}
	p.read = len(all)
	came, err = match(came, want)
	for _, l := range came {
		p.show(n, l)
	}
	for i, text := range p.alarms {
		if !slices.Contains(p.alarms[:i], text) {
			n.add("alarm: %s", text)
		}
	}
	p.alarms = nil
	return came, err
}

// summary writes the first daily summary under a step.
func (p *play) summary(n *notes, l letter) {
	if p.summaries++; p.summaries > 1 {
		return
	}
	n.add("a summary comes with each day on which the schedule runs; only the first is shown")
	p.show(n, l)
}

// match returns the mails in the order in which they were expected, and an error where others came.
func match(came []letter, want []expected) (sorted []letter, err error) {
	for _, w := range want {
		i := slices.IndexFunc(came, func(l letter) bool {
			return strings.Contains(l.To, "<"+w.to+">") && strings.Contains(l.Subject, w.subject)
		})
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("no mail to %s came with %q in its subject", w.to, w.subject))
			continue
		}
		came[i].kind = w.subject
		sorted, came = append(sorted, came[i]), slices.Delete(came, i, i+1)
	}
	for _, l := range came {
		err = errors.Join(err, fmt.Errorf("a mail to %s was not expected: %s", l.To, l.Subject))
	}
	return append(sorted, came...), err
}

// show writes a mail under a step: its header, and the text of the first of its kind.
func (p *play) show(n *notes, l letter) {
	n.quote("", fmt.Sprintf("\nFrom:    %s\nTo:      %s\nSubject: %s\n", l.From, l.To, l.Subject))
	if p.shown[l.kind] && !p.verbose {
		n.add("(the text is as before; --verbose shows it)")
		return
	}
	p.shown[l.kind] = l.kind != ""
	n.quote("    ", "\n"+l.Text+"\n\n")
}
