package sealhttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/profile"
)

// ErrUnauthenticated is what Handler.Lane gives for a caller that it does not
// know: the answer is 401.
var ErrUnauthenticated = errors.New("caller is not authenticated")

// PartnerError is an error of the profile's table, answered by the partner in
// clear. It wraps the sentinel of its outcome, and ErrMayBeProcessed where that is
// ErrSealingFailed. Nobody has signed it.
type PartnerError struct {
	Method, Path string
	Status       int
	Outcome      profile.Outcome
	Text         string // as the partner wrote it
	ID           string // by which the partner finds the reason in its logs
}

func (e *PartnerError) Error() string {
	id := ""
	if e.ID != "" {
		id = fmt.Sprintf(" (ID %q)", e.ID)
	}
	return fmt.Sprintf("%s %s: partner answered %d: %q%s; %s", e.Method, e.Path, e.Status, e.Text, id, advice[e.Outcome])
}

// Unwrap gives the sentinels.
func (e *PartnerError) Unwrap() []error {
	sentinels := []error{sealane.Sentinel(e.Outcome)}
	if e.Outcome == profile.SealingFailed {
		sentinels = append(sentinels, sealane.ErrMayBeProcessed)
	}
	return sentinels
}

// advice says what the client does about each outcome.
var advice = map[profile.Outcome]string{
	profile.NotSupported:  "finish the certificate exchange for this account, and use keys exchanged for this product only",
	profile.PlainRefused:  "send it sealed",
	profile.TooLarge:      "send less",
	profile.Format:        "compare the body with the profile",
	profile.NotJWE:        "look at the token with: sealane inspect",
	profile.Decryption:    "compare the fingerprint of the certificate that you encrypt to with the partner's",
	profile.NotJWS:        "sign before encrypting; look at the token with: sealane inspect --key",
	profile.Signature:     "compare the fingerprint of your signing certificate with the one that the partner has",
	profile.SealingFailed: "the request was processed: ask for its result by the ID, do not send it again blindly",
	profile.Unavailable:   "try again later",
}

// AnswerError says that the request went out, and its answer did not come or
// cannot be used. It wraps the reason and ErrMayBeProcessed.
type AnswerError struct {
	Method, Path string
	Status       int // 0: no answer came
	Err          error
}

func (e *AnswerError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s %s: no answer came, and the request may have been processed: %v", e.Method, e.Path, e.Err)
	}
	return fmt.Sprintf("%s %s: answer %d cannot be used, and the request may have been processed: %v", e.Method, e.Path, e.Status, e.Err)
}

// Unwrap gives the sentinel and the reason.
func (e *AnswerError) Unwrap() []error { return []error{sealane.ErrMayBeProcessed, e.Err} }

// unusable is the error for an answer.
func unusable(answer *http.Response, err error) error {
	return &AnswerError{answer.Request.Method, answer.Request.URL.Path, answer.StatusCode, err}
}
