package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

// The states of a request.
const (
	RequestOpen    = registry.RequestOpen
	RequestGranted = registry.RequestGranted
)

// Request is an act that waits for a second person.
type Request = registry.Request

// PendingError means that an act waits for a second person. Nothing has changed but the request.
type PendingError struct{ Request Request }

func (e *PendingError) Error() string {
	return fmt.Sprintf("%s of %s waits for a second person (%s): request %s",
		e.Request.Action, e.Request.Subject, e.Request.Why, e.Request.ID)
}

// request stores the request of an act that needs a second person, with its input unless that is
// nil. Any other error stays.
func (s *Session) request(ctx context.Context, operation string, in any, err error) error {
	var needed *registry.SecondPersonError
	if !errors.As(err, &needed) {
		return err
	}
	r := needed.Request
	r.Operation = operation
	if input, failed := json.Marshal(in); failed == nil && in != nil {
		r.Input = input
	}
	if r, err = s.MakeRequest(ctx, r); err != nil {
		return err
	}
	return &PendingError{r}
}

// again does an operation from the input of a request.
type again func(context.Context, *Session, json.RawMessage) error

// repeated are the operations that the approval of a request does. The result of the others is a
// secret, so the person who made the request does them when it is granted.
var repeated = map[string]again{}

// repeatable is changing for an operation that the approval of a request does.
func repeatable[In, Out any](
	name string, a registry.Action, f func(context.Context, *Session, In) (Out, error),
) *Operation[In, Out] {
	o := changing(name, a, f)
	repeated[name] = func(ctx context.Context, s *Session, input json.RawMessage) error {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return fmt.Errorf("the input of the request is damaged: %w", err)
		}
		if o.tries {
			s.tryKeys(ctx)
		}
		_, err := o.change(ctx, s, in)
		return err
	}
	return o
}

// RequestName names a request.
type RequestName struct {
	Request string `json:"request"`
}

// RequestApproval names a request that is approved.
type RequestApproval struct {
	Request string `json:"request"`
	// Seen is its version as it was shown to the approver; 0: it is approved as it is.
	Seen int64 `json:"seen,omitempty"`
}

// IsRequest reports whether an identity is that of a request.
func IsRequest(id string) bool { return len(id) > 2 && id[:2] == "r-" }

// Operations on requests.
var (
	// ApproveRequest does the act of a request by another person, or grants it to that person if
	// its result is a secret.
	ApproveRequest = changing("ApproveRequest", registry.ActionRequestApprove, approveRequest)

	// RejectRequest ends a request.
	RejectRequest = changing("RejectRequest", registry.ActionRequestReject,
		func(ctx context.Context, s *Session, in RequestName) (Request, error) {
			return s.Session.RejectRequest(ctx, in.Request)
		})

	// ShowRequest returns a request.
	ShowRequest = reading("ShowRequest",
		func(ctx context.Context, v *registry.Viewer, in RequestName) (r Request, err error) {
			err = v.View(ctx, func(tx registry.Reader) error {
				if r, err = tx.Request(in.Request); err != nil {
					return err
				}
				return nil
			})
			return r, err
		})
)

func approveRequest(ctx context.Context, s *Session, in RequestApproval) (r Request, err error) {
	as, r, err := s.Session.ApproveRequest(ctx, in.Request)
	if err == nil && in.Seen != 0 && in.Seen != r.Version {
		err = fmt.Errorf("request %s: %w", r.ID, registry.ErrConflict)
	}
	if err != nil {
		return r, err
	}
	act, repeat := repeated[r.Operation]
	if !repeat {
		return s.GrantRequest(ctx, in.Request)
	}
	if err := act(ctx, &Session{Session: as, registry: s.registry}, r.Input); err != nil {
		return r, err
	}
	return ShowRequest.Do(ctx, s, RequestName{in.Request})
}

// openRequests returns the requests that wait for an approver, or for the act itself.
func openRequests(ctx context.Context, v *registry.Viewer) (open []Request, lost Damage, err error) {
	q := registry.RequestQuery{
		Page: Page{Limit: 1000}, States: []registry.RequestState{registry.RequestOpen, registry.RequestGranted},
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		all, damaged, err := registry.Readable(tx.Requests(q))
		lost.lack(damaged)
		for _, r := range all {
			if v.Time().Before(r.Ends) {
				open = append(open, r)
			}
		}
		return err
	})
	return open, lost, err
}
