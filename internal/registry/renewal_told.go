package registry

import "time"

// MayEndTheirs returns an error where a partner's certificate that another has followed can't be retired, because
// the partner was not told that the new one is in use. Until then it may use the old one. Its word that it does
// not takes the place of the mail.
func (s *Session) MayEndTheirs(tx Reader, c Certificate, said string) error {
	if c.State != Retiring || s.registry.now().After(c.NotAfter) {
		return nil
	}
	untold, told, err := toldSince(tx, c)
	if err != nil || told || untold.ID == "" {
		return err
	}
	if said != "" {
		return CheckReason(said)
	}
	text := "its mail is planned when every node uses the new one"
	if untold.Mail != nil {
		text = "its mail was planned on " + untold.Mail.Planned.Format(time.DateOnly) + ", and nobody has sent it"
	}
	return Refuse("%s may still use certificate %s, because it was not told that %s is in use: %s; send that, "+
		"or record their word that they don't use the old one any more",
		c.Partner, c.ID, untold.Successor, text).Needing(Word)
}

// toldSince returns the last renewal by which a certificate was followed, and reports whether the mail of that one or
// of a later one was sent. Without a renewal there is nothing to tell.
func toldSince(tx Reader, c Certificate) (by Renewal, told bool, err error) {
	all, _, err := Readable(tx.Renewals(RenewalQuery{
		Owner: Theirs, Partner: c.Partner, Environment: c.Environment, Page: Page{Limit: 1000},
	}))
	for _, n := range all {
		if n.Replaces == c.ID && n.Activated != 0 && n.Created.After(by.Created) {
			by = n
		}
	}
	for _, n := range all {
		if n.Activated != 0 && !n.Created.Before(by.Created) && n.Mail != nil && !n.Mail.Sent.IsZero() {
			told = true
		}
	}
	return by, told, err
}
