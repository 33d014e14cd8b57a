package renewal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// summaries puts the daily mail to our own people into the outbox, also when nothing is due: a day without
// it says that the schedule does not run.
func (p *pass) summaries(ctx context.Context) error {
	if !p.Summary {
		return nil
	}
	to, err := p.ourPeople(ctx)
	if err != nil {
		return err
	}
	day := p.now.Format(time.DateOnly)
	if p.summed == day {
		return nil
	}
	key := func(to string) string { return "summary " + day + " " + strings.ToLower(to) }
	err = p.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		missing, err := unplanned(tx, to, registry.Mail{
			Kind: registry.NoticeSummary, State: registry.MailPlanned, Next: p.now, Planned: p.now,
		}, key)
		if err != nil || missing == nil {
			return err
		}
		earlier, err := summariesThatWait(tx, registry.MailPlanned, registry.MailDeferred)
		if err != nil {
			return err
		}
		for _, m := range earlier { // they would say the same as this one
			m.State, m.Ended = registry.MailWithdrawn, p.now
			if err := tx.PutMail(&m); err != nil {
				return err
			}
		}
		return tx.AddMails(missing)
	})
	if err == nil {
		p.summed = day
	}
	return err
}

// summariesThatWait returns the daily mails in some states.
func summariesThatWait(tx registry.Reader, states ...registry.MailState) ([]registry.Mail, error) {
	all, _, err := registry.Readable(tx.Mails(registry.MailQuery{
		Kinds: []registry.NoticeKind{registry.NoticeSummary}, States: states,
	}))
	return all, err
}

// summary returns the lines of the daily mail. There are none where nothing is due and no other mail waits. servers
// says what ends that sends our mails and events.
func summary(tx registry.Reader, now time.Time, servers []string) (lines []string, err error) {
	counts := map[registry.RenewalStep]int{}
	late, open := 0, 0
	q := registry.RenewalQuery{Open: true, Page: registry.Page{Limit: 1000}}
	for {
		page, damaged, err := registry.Readable(tx.Renewals(q))
		if err != nil {
			return nil, err
		}
		for _, n := range page {
			open++
			counts[n.Step]++
			if n.Activated == 0 && !n.RespondBy.IsZero() && now.After(n.RespondBy) {
				late++
			}
		}
		if len(page)+len(damaged) < q.Limit {
			break
		}
		q.After = lastOf(page, damaged)
	}
	lines = append(lines, fmt.Sprintf("Renewals that are open: %d.", open))
	for _, step := range registry.RenewalSteps() {
		if n := counts[step]; n > 0 {
			lines = append(lines, fmt.Sprintf("At the step %q: %d.", step, n))
		}
	}
	if late > 0 {
		lines = append(lines, fmt.Sprintf("Answers that are overdue: %d.", late))
	}
	mails, err := tx.MailCounts()
	if err != nil {
		return nil, err
	}
	var states []registry.MailState
	waiting := 0
	for _, c := range mails {
		states = append(states, c.State)
		waiting += c.Count
	}
	if waiting > 0 {
		summaries, err := summariesThatWait(tx, states...)
		if err != nil {
			return nil, err
		}
		waiting -= len(summaries)
	}
	own, err := ourselves(tx, now, servers)
	if err != nil || open == 0 && waiting == 0 && len(own) == 0 {
		return nil, err
	}
	lines = append(lines, fmt.Sprintf("Mails that wait: %d.", waiting))
	lines = append(lines, own...)
	return append(lines, "The list of what needs somebody says more."), nil
}

// ourselves returns the lines about what we depend on.
func ourselves(tx registry.Reader, now time.Time, servers []string) (lines []string, err error) {
	for _, text := range servers {
		lines = append(lines, sentence(text))
	}
	since, old, err := registry.RootKeyAge(tx, now)
	if err != nil {
		return nil, err
	}
	if old {
		lines = append(lines, sentence(RootKeyOld(since)))
	}
	late, err := registry.LateUses(tx, now)
	for _, u := range late {
		lines = append(lines, sentence(UsedLate(u)))
	}
	return lines, err
}

// sentence returns a text of a report as a sentence.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }
