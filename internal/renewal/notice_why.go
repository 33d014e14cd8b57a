package renewal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// WhyOf asks why notices about something were sent, or were not.
type WhyOf struct {
	// Of is a renewal, a certificate, a key pair, or the address of a contact.
	Of      string `json:"of"`
	Partner string `json:"partner,omitempty"` // of a shared key pair
	// At is the time to look at; zero: now. Contacts and steps are those of now. An address has none.
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

// The reasons where a certificate has no open renewal.
const (
	WhyNotInUse Why = "it is not in use yet: notices are about the one that is in use"
	WhyFollowed Why = "it was followed by another: notices are about the one that is in use"
	WhyEnded    Why = "it is not in use any more"
)

// maxHits limits where an address is looked for.
const maxHits = 100

// Explain says which notices there are about a certificate, key pair or renewal, or to a contact, and why.
func Explain(ctx context.Context, v *registry.Viewer, in WhyOf, operations []string) (out Explained, err error) {
	now := in.At
	if now.IsZero() {
		now = v.Time()
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		if strings.Contains(in.Of, "@") {
			if !in.At.IsZero() {
				return registry.Refuse("an address has the notices that were written, on all days: name a " +
					"certificate, key pair or renewal with a day")
			}
			return explainAddress(tx, in.Of, &out)
		}
		ours, err := ourPeople(tx, operations)
		if err != nil {
			return err
		}
		w := noticeWork{now: now, ours: ours}
		n, err := registry.FindRenewal(tx, in.Of, in.Partner)
		if errors.Is(err, registry.ErrNotFound) {
			return w.explainWithout(tx, in, &out, err)
		}
		if err != nil {
			return err
		}
		return w.explain(tx, n, &out)
	})
	return out, err
}

// explainAddress says which notices were written to an address, and if none, whether it is a contact.
func explainAddress(tx registry.Reader, address string, out *Explained) (err error) {
	out.Reason = Why("these are the newest notices to " + address)
	if out.There, err = tx.NoticesTo("", address, 100); err != nil || len(out.There) > 0 {
		return err
	}
	environments, _, err := registry.Readable(tx.EnvironmentsLike(address, maxHits))
	if err != nil {
		return err
	}
	var of []string
	for _, e := range environments {
		for _, c := range e.Contacts {
			if strings.EqualFold(c.Email, address) {
				of = append(of, fmt.Sprintf("the %s contact of %s in %s", c.Role, e.Partner, e.Name))
			}
		}
	}
	as := "it is no contact of a partner"
	if of != nil {
		as = "it is " + strings.Join(of, ", ")
	}
	out.Reason = Why("no notice was written to " + address + ": " + as)
	return nil
}

// explainWithout explains a certificate that has no open renewal.
func (w *noticeWork) explainWithout(tx registry.Reader, in WhyOf, out *Explained, failed error) error {
	id := in.Of
	if k, err := tx.KeyPair(id); err == nil {
		id = k.Certificate
	}
	c, err := tx.Certificate(id)
	switch {
	case errors.Is(err, registry.ErrNotFound) && !registry.IsRenewal(in.Of):
		return registry.Refuse("there is no %.60q: name a certificate, key pair, renewal or address", in.Of)
	case errors.Is(err, registry.ErrNotFound):
		return failed
	case err != nil:
		return err
	}
	r := registry.Renewal{Leg: legOf(c), Replaces: c.ID, Step: registry.RenewalDue}
	if c.Owner == registry.Ours {
		r.Replaces = c.KeyPair
	}
	rotation, err := registry.RotationOf(tx, r.Leg, r.Replaces)
	if err != nil {
		return err
	}
	leg := r.Leg
	leg.Partner = cmp.Or(leg.Partner, in.Partner)
	state, err := registry.StateOf(tx, leg, r.Replaces)
	if err != nil {
		return err
	}
	due := c.Due(rotation)
	if state == registry.Active && !w.now.Before(due) {
		return w.explainUnbegun(tx, r, due, out)
	}
	*out = Explained{
		Certificate: c.ID, Partner: c.Partner, Environment: c.Environment, Ends: c.EndOfUse(),
		Days: rotation.NoticeSchedule(), Left: registry.DaysLeft(c.EndOfUse(), w.now), Reason: WhyEnded,
	}
	switch {
	case state == registry.Active:
		out.Reason, out.Next = WhyEarly, due
	case state == registry.Retiring:
		out.Reason = WhyFollowed
	case state.Open() || state == registry.Staged:
		out.Reason = WhyNotInUse
	}
	out.There, err = tx.Notices([]string{c.ID})
	return err
}

// explainUnbegun explains a renewal that the schedule has not begun. The notices are those that there are once it has.
func (w *noticeWork) explainUnbegun(tx registry.Reader, r registry.Renewal, due time.Time, out *Explained) error {
	if err := w.explain(tx, r, out); err != nil {
		return err
	}
	out.Step = ""
	if why := out.Reason; why != WhyArchived {
		out.Reason = Why("its successor is due since " + due.Format(time.DateOnly) + ", and the schedule has not " +
			"begun the renewal")
		if why != WhyDue {
			out.Reason += "; " + why
		}
	}
	return nil
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
