package renewal

import "github.com/sealane/sealane/internal/lanes"

// Advanced returns what a gateway shows of a report.
func (r Report) Advanced() lanes.Advanced {
	out := lanes.Advanced{Busy: r.Busy, Open: r.Steps, Next: r.Next, LateNotices: r.Late, RootKey: r.RootKey}
	if s := r.Sent; s != nil {
		out.Mails, out.OldestMail = s.Waiting, s.Oldest
		out.MailServerEnds, out.WebhookEnds = s.MailServerEnds, s.WebhookEnds
	}
	for _, one := range r.Done {
		out.Done = append(out.Done, lanes.Advance{Renewal: one.Renewal, Text: one.Text})
	}
	out.Alarms, out.Proposed = shownWaits(r.Alarms), shownWaits(r.Proposed)
	return out
}

func shownWaits(all []Wait) (list []lanes.Advance) {
	for _, one := range all {
		list = append(list, lanes.Advance{Renewal: one.Renewal, Text: one.Text})
	}
	return list
}
