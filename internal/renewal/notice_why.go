package renewal

import (
	"context"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// WhyOf asks why notices about something were sent, or were not.
type WhyOf struct {
	// Of is a renewal, a certificate, a key pair, or the address of a contact.
	Of      string `json:"of"`
	Partner string `json:"partner,omitempty"` // of a shared key pair
	// At is the time to look at; zero: now. Contacts and steps are those of now.
	At time.Time `json:"at,omitzero"`
}

// Explained says which notices a renewal has at a time, and why.
type Explained struct {
	Renewal     string               `json:"renewal,omitempty"`
	Certificate string               `json:"certificate,omitempty"`
	Partner     string               `json:"partner,omitempty"`
	Environment string               `json:"environment,omitempty"`
	Step        registry.RenewalStep `json:"step,omitempty"`
	Ends        time.Time            `json:"ends,omitzero"`
	Days        []int                `json:"days,omitempty"` // the environment's, before the end
	Left        int                  `json:"days_left"`
	Reason      Why                  `json:"reason"`
	Next        time.Time            `json:"next,omitzero"` // when this may change
	Ack         *registry.RenewalAck `json:"ack,omitempty"`
	// Wanted are those that should be there at the time, and There all that are.
	Wanted []registry.Notice `json:"wanted,omitempty"`
	There  []registry.Notice `json:"notices,omitempty"`
	// Accepted are those that the renewal knows of, also from before a backup was restored.
	Accepted []registry.RenewalNotice `json:"accepted,omitempty"`
}

// WhyNoRenewal is the reason where a certificate has no open renewal.
const WhyNoRenewal Why = "no renewal is open: it is not in use, not due yet, or was followed by another"

// Explain says which notices there are about a certificate, key pair or renewal, or to a contact, and why.
func Explain(ctx context.Context, v *registry.Viewer, in WhyOf, operations []string) (out Explained, err error) {
	if in.At.IsZero() {
		in.At = v.Time()
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		if strings.Contains(in.Of, "@") {
			out = Explained{Reason: "these are the newest notices to " + Why(in.Of)}
			out.There, err = tx.NoticesTo("", in.Of, 100)
			return err
		}
		n, err := registry.FindRenewal(tx, in.Of, in.Partner)
		if err != nil {
			return explainWithout(tx, in, &out, err)
		}
		ours, err := ourPeople(tx, operations)
		if err != nil {
			return err
		}
		w := noticeWork{now: in.At, ours: ours}
		return w.explain(tx, n, &out)
	})
	return out, err
}

// explainWithout explains a certificate that has no renewal.
func explainWithout(tx registry.Reader, in WhyOf, out *Explained, failed error) error {
	id := in.Of
	if k, err := tx.KeyPair(id); err == nil {
		id = k.Certificate
	}
	c, err := tx.Certificate(id)
	if err != nil {
		return failed
	}
	env, err := tx.Environment(c.Partner, c.Environment)
	if err != nil && c.Partner != "" {
		return err
	}
	*out = Explained{
		Certificate: c.ID, Partner: c.Partner, Environment: c.Environment, Ends: c.EndOfUse(),
		Days: env.Rotation.NoticeSchedule(), Left: registry.DaysLeft(c.EndOfUse(), in.At), Reason: WhyNoRenewal,
	}
	if c.State == registry.Active && in.At.Before(c.Due(env.Rotation)) {
		out.Reason, out.Next = WhyEarly, c.Due(env.Rotation)
	}
	out.There, err = tx.Notices([]string{c.ID})
	return err
}

// explain explains a renewal.
func (w *noticeWork) explain(tx registry.Reader, r registry.Renewal, out *Explained) error {
	w.reader = tx
	if err := w.read([]registry.Renewal{r}); err != nil {
		return err
	}
	n, known := w.noticed(r)
	if !known {
		return registry.Refuse("the rows of renewal %s can't be read: restore them from a backup", r.ID)
	}
	p := n.plan(w.now)
	*out = Explained{
		Renewal: r.ID, Certificate: n.certificate.ID, Partner: r.Partner, Environment: r.Environment, Step: r.Step,
		Ends: n.end(), Days: n.env.Rotation.NoticeSchedule(), Left: registry.DaysLeft(n.end(), w.now),
		Reason: p.why, Next: p.next, Ack: r.Ack, Wanted: p.notices, There: n.there, Accepted: r.Notices,
	}
	return nil
}
