package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// Request is an act that waits for a second person. It has what the act would change, as its
// record would, so that what is approved is what was shown.
type Request struct {
	ID string `json:"id"`
	// Operation and Input are what the operation layer does again when the request is approved.
	// An act whose result is a secret, such as an exported key, is not repeated for the approver:
	// the request is granted, and the person who made it does the act again.
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input,omitempty"`

	Action      Action          `json:"action"`
	Subject     string          `json:"subject"`
	Partner     string          `json:"partner,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Why         string          `json:"why"`             // the rules that ask for a second person
	About       string          `json:"about,omitempty"` // the person whom the act is about, who can't approve it
	Before      json.RawMessage `json:"before,omitempty"`
	After       json.RawMessage `json:"after,omitempty"`
	Bound       []byte          `json:"bound"` // SHA-256 of what must be the same when the act is done

	Reason  string       `json:"reason"`
	By      string       `json:"by"`
	Created time.Time    `json:"created"`
	Ends    time.Time    `json:"ends"`
	State   RequestState `json:"state"`
	Decided time.Time    `json:"decided,omitzero"`
	Decider string       `json:"decided_by,omitempty"`
	Version int64        `json:"-"`
}

// RequestState is the state of a request.
type RequestState string

// The states.
const (
	RequestOpen     RequestState = "open"
	RequestGranted  RequestState = "granted" // the person who made it may do the act once
	RequestDone     RequestState = "done"
	RequestRejected RequestState = "rejected"
	RequestEnded    RequestState = "ended" // nobody has decided it in time
)

// How long a request waits for an approver, and a granted one for the act.
const (
	requestWaits = 7 * 24 * time.Hour
	grantWaits   = 24 * time.Hour
)

// maxRequests is how many requests may be open at a time.
const maxRequests = 1000

// RequestQuery selects requests. Empty fields select all.
type RequestQuery struct {
	Page
	States []RequestState
	By     string
}

// SecondPersonError means that a rule asks for a second person. Nothing has changed. The
// request in it is not stored yet: the operation layer completes and stores it.
type SecondPersonError struct{ Request Request }

func (e *SecondPersonError) Error() string {
	return fmt.Sprintf("%s of %s needs a second person: %s", e.Request.Action, e.Request.Subject, e.Request.Why)
}

// approval is a request that another person approves, while its act is done.
type approval struct {
	request Request
	by      Person
}

// MakeRequest stores a request of an act that was refused with [SecondPersonError], and returns
// it. One for the same act that is open already is returned instead.
func (s *Session) MakeRequest(ctx context.Context, r Request) (Request, error) {
	r.ID, r.By, r.State = newID("r"), s.person.ID, RequestOpen
	r.Created = s.registry.now()
	r.Ends = r.Created.Add(requestWaits)
	entry := Entry{
		Action: ActionRequestMake, Subject: "request/" + r.ID, Partner: r.Partner, Environment: r.Environment,
		Reason: r.Reason,
	}
	var same *Request
	err := s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		open, damaged, err := Readable(tx.Requests(RequestQuery{
			States: []RequestState{RequestOpen}, Page: Page{Limit: maxRequests},
		}))
		if err != nil {
			return err
		}
		live := len(open) + len(damaged)
		for _, o := range open {
			if !r.Created.Before(o.Ends) { // nobody has decided it in time
				o.State, o.Decided = RequestEnded, r.Created
				if err := tx.PutRequest(&o); err != nil {
					return err
				}
				live--
				continue
			}
			if o.By == r.By && o.Operation == r.Operation && bytes.Equal(o.Bound, r.Bound) &&
				bytes.Equal(o.Input, r.Input) {
				same = &o
				return errSameRequest
			}
		}
		if live >= maxRequests {
			return Refuse("%d requests are open already: decide some of them first", live)
		}
		if err := decidedBySomebody(tx, r); err != nil {
			return err
		}
		entry.After = r
		return tx.PutRequest(&r)
	})
	if same != nil {
		return *same, nil
	}
	return r, err
}

var errSameRequest = fmt.Errorf("the same request is open")

// decidedBySomebody refuses a request that nobody could approve.
func decidedBySomebody(tx Reader, r Request) error {
	people, damaged, err := Readable(tx.People())
	if err != nil {
		return err
	}
	can := func(p Person) bool {
		return p.ID != r.By && p.ID != r.About && p.Revoked.IsZero() && slices.Contains(p.Roles, Approver)
	}
	if slices.ContainsFunc(people, can) {
		return nil
	}
	if len(damaged) > 0 {
		return Refuse("%s of %s needs a second person (%s), and nobody else is an approver, as far as the rows of "+
			"people can be read: put them in order first\n%v", r.Action, r.Subject, r.Why, damaged)
	}
	return Refuse("%s of %s needs a second person (%s), and nobody else is an approver", r.Action, r.Subject, r.Why).
		Then(Advice{Action: ActionPersonAdd})
}

// Approver returns the person who approves what is done in the session: the second person of a
// request, or the person of the session.
func (s *Session) Approver() string {
	if s.approved != nil {
		return s.approved.by.ID
	}
	return s.person.ID
}

// ApproveRequest returns the session of the person who made a request, in which its act can be
// done once. The act and the approval are recorded in one transaction.
func (s *Session) ApproveRequest(ctx context.Context, id string) (*Session, Request, error) {
	if err := s.May(ActionRequestApprove); err != nil {
		return nil, Request{}, err
	}
	var r Request
	var by Person
	err := s.View(ctx, func(tx Reader) (err error) {
		if r, err = s.decidable(tx, id); err != nil {
			return err
		}
		by, err = tx.Person(r.By)
		return err
	})
	if err != nil {
		return nil, r, err
	}
	if !by.Revoked.IsZero() {
		return nil, r, Refuse("request %s is by %s, whose token was revoked: reject it", id, by.ID)
	}
	as := &Session{Viewer: Viewer{registry: s.registry, person: by}, reason: r.Reason}
	as.approved = &approval{r, s.person}
	return as, r, nil
}

// decidable returns a request that the person may approve.
func (s *Session) decidable(tx Reader, id string) (Request, error) {
	r, err := tx.Request(id)
	switch {
	case err != nil:
		return r, err
	case r.State != RequestOpen:
		return r, Refuse("request %s was decided on %s by %s: it is %s",
			id, r.Decided.Format(time.DateOnly), r.Decider, r.State)
	case !s.registry.now().Before(r.Ends):
		return r, Refuse("request %s ended on %s: %s can make it again", id, r.Ends.Format(time.DateOnly), r.By)
	case r.By == s.person.ID:
		return r, Refuse("request %s is your own: somebody else must approve it", id)
	case r.About == s.person.ID:
		return r, Refuse("request %s is about you: somebody else must approve it", id)
	}
	return r, asRecorded(tx, r)
}

// GrantRequest lets the person who made a request do its act once, within a day.
func (s *Session) GrantRequest(ctx context.Context, id string) (r Request, err error) {
	err = s.Change(ctx, Entry{Action: ActionRequestApprove, Subject: "request/" + id},
		func(tx Tx, entry *Entry) error {
			if r, err = s.decidable(tx, id); err != nil {
				return err
			}
			entry.Before, entry.Partner, entry.Environment = r, r.Partner, r.Environment
			r.State, r.Decider, r.Decided = RequestGranted, s.person.ID, s.registry.now()
			r.Ends = r.Decided.Add(grantWaits)
			entry.After = r
			return tx.PutRequest(&r)
		})
	return r, err
}

// RejectRequest ends a request that is open or granted. Anybody may who can reject; so may the
// person who made it.
func (s *Session) RejectRequest(ctx context.Context, id string) (r Request, err error) {
	err = s.Change(ctx, Entry{Action: ActionRequestReject, Subject: "request/" + id}, func(tx Tx, entry *Entry) error {
		if r, err = tx.Request(id); err != nil {
			return err
		}
		if r.State != RequestOpen && r.State != RequestGranted {
			return Refuse("request %s is %s already", id, r.State)
		}
		entry.Before, entry.Partner, entry.Environment = r, r.Partner, r.Environment
		r.State, r.Decider, r.Decided = RequestRejected, s.person.ID, s.registry.now()
		entry.After = r
		return tx.PutRequest(&r)
	})
	return r, err
}

// record records the approval of a request, in the transaction of its act and before its record.
func (a *approval) record(tx Tx, now time.Time) error {
	r, err := tx.Request(a.request.ID)
	if err != nil {
		return err
	}
	p, err := tx.Person(a.by.ID)
	if err != nil {
		return err
	}
	switch {
	case r.State != RequestOpen || r.Version != a.request.Version:
		return fmt.Errorf("request %s: %w", r.ID, ErrConflict)
	case !p.Revoked.IsZero() || !slices.Contains(p.Roles, Approver) || p.ID == r.By:
		return ErrUnknownToken
	}
	if err := asRecorded(tx, r); err != nil {
		return err
	}
	return audit.Write(tx, audit.Record{
		Time: now, Actor: a.by.ID, Action: string(ActionRequestApprove), Subject: "request/" + r.ID,
		Partner: r.Partner, Environment: r.Environment,
	})
}

// secondPerson checks an act that has been done in the transaction of a change, and is not
// committed, against the policy. If a second person is needed, it looks for their approval.
func (s *Session) secondPerson(tx Tx, entry *Entry) error {
	needed, err := s.needsSecond(tx, entry)
	switch {
	case err != nil:
		return err
	case needed == nil && s.approved != nil: // the session is for the act of the request only
		return Refuse("request %s is not needed any more: reject it", s.approved.request.ID)
	case needed == nil:
		return nil
	}
	before, err := recorded(entry.Before)
	if err != nil {
		return err
	}
	after, err := recorded(entry.After)
	if err != nil {
		return err
	}
	bound := sha256.Sum256(bytes.Join([][]byte{
		[]byte(entry.Action), []byte(entry.Partner), []byte(entry.Environment), []byte(needed.what), before,
		steady(after),
	}, []byte{0}))
	act := Request{
		Action: entry.Action, Subject: entry.Subject, Partner: entry.Partner, Environment: entry.Environment,
		Why: needed.why, About: needed.about, Before: before, After: after, Bound: bound[:], Reason: entry.Reason,
	}
	if a := s.approved; a != nil {
		if !a.request.shows(act) {
			return Refuse("what request %s would change is no longer what was shown: reject it, and let %s "+
				"make it again",
				a.request.ID, a.request.By)
		}
		if err := a.record(tx.(*recorder).tx, s.registry.now()); err != nil {
			return err
		}
		return s.spend(tx, a.request.ID, a.by.ID)
	}
	granted, _, err := Readable(tx.Requests(RequestQuery{ // one that can't be read grants nothing
		States: []RequestState{RequestGranted}, By: s.person.ID, Page: Page{Limit: maxRequests},
	}))
	if err != nil {
		return err
	}
	for _, r := range granted {
		if !r.shows(act) || !s.registry.now().Before(r.Ends) {
			continue
		}
		counts, err := s.grantCounts(tx, r)
		if err != nil {
			return err
		}
		if counts {
			entry.Reason = cmp.Or(r.Reason, entry.Reason) // the one that was approved
			return s.spend(tx, r.ID, r.Decider)
		}
	}
	return &SecondPersonError{act}
}

// shows reports whether an act is the one that a request shows. Somebody who can write the database
// may have given it another text than what it would do.
func (r Request) shows(act Request) bool {
	return bytes.Equal(r.Bound, act.Bound) && r.Action == act.Action && r.Why == act.Why && r.About == act.About &&
		bytes.Equal(members(r.Before), members(act.Before)) && bytes.Equal(steady(r.After), steady(act.After))
}

// unsteady are the members of a row that are others each time the act is done.
var unsteady = []string{
	"id", "created", "changed", "prefix", "token_sha256", "mac_sha256", "certificate", "bytes_sha256", "sealed_as",
	"root_key", "added", "lifted",
}

// steady returns what a record has after an act, without the members that are others each time.
func steady(after json.RawMessage) []byte { return members(after, unsteady...) }

// members returns an object with its members in the order of their names, without some of them.
func members(object json.RawMessage, without ...string) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return object
	}
	for _, name := range without {
		delete(members, name)
	}
	text, err := json.Marshal(members)
	if err != nil {
		return object
	}
	return text
}

// spend ends a request whose act is done.
func (s *Session) spend(tx Tx, id, by string) error {
	r, err := tx.Request(id)
	if err != nil {
		return err
	}
	r.State, r.Decider, r.Decided = RequestDone, by, s.registry.now()
	return tx.PutRequest(&r)
}
