// Package todo lists what somebody must look at, over all partners: what waits for us, for a second
// person or for a partner, and since when; what ends; lanes that lack something; rules that do not
// count; and what watches all of this.
//
// Each kind is found by one query of an index that has only its rows (see [registry.Concern]). So a
// list takes as long as what is in it, however many partners there are.
package todo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// Kind is what an item is about.
type Kind string

// The kinds, in their order.
const (
	Schedule    Kind = "schedule"     // no schedule runs
	Anchor      Kind = "anchor"       // of the audit log: it fails, or none is there
	RootKey     Kind = "root-key"     // it is the same for years
	UsedLate    Kind = "used-late"    // a node uses a key that has ended
	Damaged     Kind = "damaged"      // a row that can't be read
	Alarm       Kind = "alarm"        // a doubt about a key in use
	Ends        Kind = "ends"         // a key in use whose use ends
	Unwatched   Kind = "unwatched"    // the same, where no renewal has begun that should have
	Renewal     Kind = "renewal"      // any other that is open
	Request     Kind = "request"      // an act that waits for a second person
	Incoming    Kind = "incoming"     // a certificate on its way in, in no renewal
	NoOurs      Kind = "no-ours"      // a lane without an active key of ours
	NoTheirs    Kind = "no-theirs"    // a lane without an active certificate of the partner
	Offer       Kind = "offer"        // an offer without an answer
	Mismatch    Kind = "mismatch"     // a checksum that was wrong
	NoContact   Kind = "no-contact"   // a lane without a contact
	Waiver      Kind = "waiver"       // a rule that does not count for a certificate
	Optional    Kind = "optional"     // a lane that accepts unencrypted messages
	NoCaller    Kind = "no-caller"    // a lane whose sender is not authenticated
	AcceptsSHA1 Kind = "accepts-sha1" // a lane that accepts RSA-OAEP with SHA-1
)

// Item is one thing that somebody must look at. Each is in the list once, as the first of its kinds.
type Item struct {
	Kind        Kind           `json:"kind"`
	ID          string         `json:"id,omitempty"` // of the certificate, key pair, renewal or request
	Partner     string         `json:"partner,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Owner       registry.Owner `json:"owner,omitempty"` // of the key
	// Renewal and Step are those of the open renewal that it is about.
	Renewal string               `json:"renewal,omitempty"`
	Step    registry.RenewalStep `json:"step,omitempty"`
	Text    string               `json:"text"`
	Since   time.Time            `json:"since,omitzero"` // since when it is so
	// Ends is when the use of the key must have ended, or when a request ends. DaysLeft are full days.
	Ends     time.Time `json:"ends,omitzero"`
	DaysLeft int       `json:"days_left,omitempty"`
	// Urgent reports whether it is overdue, or ends and nothing goes on, or needs somebody at once.
	Urgent bool          `json:"urgent,omitempty"`
	Next   exchange.Next `json:"next"`
}

// Rest is how many items of a kind a list lacks because of its limit.
type Rest struct {
	Kind  Kind                 `json:"kind"`
	Step  registry.RenewalStep `json:"step,omitempty"` // of renewals
	Count int                  `json:"count"`
}

// List is what somebody must look at.
type List struct {
	At    time.Time `json:"at"`
	Days  int       `json:"days"`
	Items []Item    `json:"items"` // the most urgent of each kind, in the order of the kinds
	Rest  []Rest    `json:"rest,omitempty"`
	// Urgent is how many of Items are.
	Urgent int `json:"urgent"`
}

// Query asks for a list.
type Query struct {
	Partner string `json:"partner,omitempty"` // empty: of all partners
	Days    int    `json:"days"`              // what ends until then is in the list
	// Limit is how many items of each kind, and of each step of renewals: 1 to 500; 0: 20.
	Limit int `json:"limit,omitempty"`
}

const (
	defaultLimit = 20
	maxLimit     = 500
	maxDays      = 3650
)

// Look returns the list.
func Look(ctx context.Context, v *registry.Viewer, q Query) (List, error) {
	if q.Days < 1 || q.Days > maxDays {
		return List{}, registry.Refuse("%d days are not possible; say 1 to %d", q.Days, maxDays)
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return List{}, registry.Refuse("a limit of %d is not possible; say 1 to %d", q.Limit, maxLimit)
	}
	q.Limit = cmp.Or(q.Limit, defaultLimit)
	var l *look
	err := v.View(ctx, func(tx registry.Reader) error {
		if q.Partner != "" {
			if _, err := tx.Partner(q.Partner); err != nil {
				return err
			}
		}
		l = &look{
			Query: q, tx: tx, now: v.Time(), listed: map[string]bool{}, renewing: exchange.NewRenewing(tx, v.Time()),
		}
		return l.all()
	})
	if err != nil {
		return List{}, err
	}
	return l.list(), nil
}

// look is one call of Look.
type look struct {
	Query
	tx       registry.Reader
	now      time.Time
	items    []Item
	rest     []Rest
	listed   map[string]bool    // what is in the list already
	renewing *exchange.Renewing // what comes next in renewals
}

func (l *look) all() error {
	for _, part := range []func() error{
		l.schedule, l.anchors, l.rootKey, l.usedLate, l.alarms, l.ends, l.renewals, l.requests, l.incoming,
		l.lacking, l.offers, l.mismatches, l.contacts, l.waivers, l.loosened,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// list returns the items in the order of the kinds, the most urgent first.
func (l *look) list() List {
	out := List{At: l.now, Days: l.Days, Items: l.items, Rest: l.rest}
	for _, i := range out.Items {
		if i.Urgent {
			out.Urgent++
		}
	}
	slices.SortStableFunc(out.Items, func(a, b Item) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func rank(i Item) int {
	if i.Urgent {
		return 0
	}
	return 1
}

// errNone means that a row is no concern, although its columns say so: a program of an earlier version has
// stored it.
var errNone = errors.New("it is no concern")

// rows adds an item for each row of a concern. item returns errNone for one that is none.
func (l *look) rows(kind Kind, q registry.ConcernQuery, item func(registry.Concerned) (Item, error)) error {
	q.Partner, q.Limit = l.Partner, l.Limit
	found, all, err := l.tx.Concerned(q)
	rows, damaged, err := registry.Readable(found, err)
	if err != nil {
		return err
	}
	for _, row := range damaged {
		l.damaged(row)
	}
	for _, row := range rows {
		one, err := item(row)
		if row, is := damagedIn(err); is {
			l.damaged(row)
			continue
		}
		if errors.Is(err, errNone) || errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if one.Kind == "" {
			one.Kind = kind
		}
		l.add(one)
	}
	if n := all - len(rows); n > 0 {
		l.rest = append(l.rest, Rest{Kind: kind, Step: q.Step, Count: n})
	}
	return nil
}

func damagedIn(err error) (*registry.DamagedRow, bool) {
	return errors.AsType[*registry.DamagedRow](err)
}

// damaged adds a row that can't be read, once.
func (l *look) damaged(row *registry.DamagedRow) {
	l.add(Item{
		Kind: Damaged, ID: row.ID, Text: row.Error(), Urgent: true,
		Next: exchange.Next{Text: "restore the row", Waits: exchange.WaitsForUs},
	})
}

// add adds an item, unless it is in the list already: itself, its renewal, or what comes next for it.
func (l *look) add(i Item) {
	if !i.Ends.IsZero() {
		i.DaysLeft = daysLeft(i.Ends, l.now)
	}
	var names []string
	switch {
	case i.Kind == Damaged:
		names = []string{"damaged/" + i.Text}
	case i.Renewal != "":
		names = []string{i.Renewal, i.ID + "/" + i.Partner}
		if l.listed[i.Renewal] {
			return
		}
	case i.ID != "" && slices.Contains([]Kind{Ends, Unwatched, Request, Incoming, NoOurs, NoTheirs, Offer}, i.Kind):
		names = []string{i.ID + "/" + i.Partner}
	}
	for _, name := range names {
		if l.listed[name] && i.Renewal == "" {
			return
		}
		l.listed[name] = true
	}
	if next := i.Next.Advice; next.Action == registry.ActionRequestApprove {
		l.listed[next.ID+"/"+i.Partner] = true
	}
	l.items = append(l.items, i)
}

// daysLeft returns how many full days are left until an end. It is negative after it.
func daysLeft(end, now time.Time) int {
	left := end.Sub(now)
	days := int(left / (24 * time.Hour))
	if left < 0 && left%(24*time.Hour) != 0 {
		days--
	}
	return days
}
