package sealhttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/profile"
)

// ErrUnauthenticated is returned by a [LaneFunc] for a caller that it does not know. The
// Handler answers 401.
var ErrUnauthenticated = errors.New("caller is not authenticated")

// PartnerError is an error of the profile's table that the partner answered. It was neither
// encrypted nor signed. It wraps its outcome, and [sealane.ErrMayBeProcessed] if that is
// [sealane.ErrSealingFailed].
type PartnerError struct {
	// Method is the request's. Path is the endpoint's, as in the profile, because the
	// values of its variables are identifiers of persons or transactions.
	Method, Path string
	// Status is the HTTP status.
	Status int
	// Outcome is the partner's judgment.
	Outcome profile.Outcome
	// Text is what the partner wrote.
	Text string
	// ID is the identifier under which the partner finds the reason in its logs.
	ID string
}

func (e *PartnerError) Error() string {
	id := ""
	if e.ID != "" {
		id = fmt.Sprintf(" (ID %q)", e.ID)
	}
	return fmt.Sprintf(
		"%s: partner answered %d: %q%s; %s",
		requestLine(e.Method, e.Path),
		e.Status,
		e.Text,
		id,
		advice[e.Outcome],
	)
}

// Unwrap returns the outcome, and ErrMayBeProcessed where it applies.
func (e *PartnerError) Unwrap() []error {
	if e.Outcome == profile.SealingFailed {
		return []error{e.Outcome, sealane.ErrMayBeProcessed}
	}
	return []error{e.Outcome}
}

// requestLine names a request by its method and the path of its endpoint, which may be every path.
func requestLine(method, path string) string {
	if path == profile.Any {
		return method
	}
	return method + " " + path
}

// advice is the client's next step for each outcome.
var advice = map[profile.Outcome]string{
	profile.NotSupported: "finish the certificate exchange for this account, and use keys exchanged for this " +
		"product only",
	profile.PlainRefused:  "send it sealed",
	profile.TooLarge:      "send less",
	profile.Format:        "compare the body with the profile",
	profile.NotJWE:        "inspect the token",
	profile.Decryption:    "compare the fingerprint of the certificate that you encrypt to with the partner's",
	profile.NotJWS:        "sign before encrypting; inspect the token with the private key",
	profile.Signature:     "compare the fingerprint of your signing certificate with the one that the partner has",
	profile.SealingFailed: "the request was processed: ask for its result by the ID, do not send it again blindly",
	profile.Unavailable:   "try again later",
}

// AnswerError reports that the request was sent, but no response arrived or the response
// cannot be used. It wraps the reason and [sealane.ErrMayBeProcessed].
type AnswerError struct {
	// Method is the request's. Path is the endpoint's, as in the profile, because the
	// values of its variables are identifiers of persons or transactions.
	Method, Path string
	// Status is the HTTP status, or 0 if no response arrived.
	Status int
	// Err is the reason.
	Err error
}

func (e *AnswerError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf(
			"%s: no response arrived, and the request may have been processed: %v",
			requestLine(e.Method, e.Path),
			e.Err,
		)
	}
	return fmt.Sprintf(
		"%s: answer %d cannot be used, and the request may have been processed: %v",
		requestLine(e.Method, e.Path),
		e.Status,
		e.Err,
	)
}

// Unwrap returns ErrMayBeProcessed and the reason.
func (e *AnswerError) Unwrap() []error { return []error{sealane.ErrMayBeProcessed, e.Err} }

// unusable returns the error for a response.
func unusable(response *http.Response, path string, err error) error {
	return &AnswerError{response.Request.Method, path, response.StatusCode, err}
}
