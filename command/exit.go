package command

import (
	"errors"
	"io"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/operation"
)

// The exit codes.
const (
	exitFailed    = 1 // it could not be done: a file, a network, a setting
	exitUsage     = 2 // the command line is wrong
	exitRefused   = 3 // a message, certificate, key ID or act was judged and refused
	exitPartner   = 4 // the partner answered with an error
	exitPending   = 6 // the act waits for a second person
	exitAlarm     = 7 // schedule pass, todo, serve --check: a person must look at something
	exitProcessed = 5 // the request may have been processed, but its answer cannot be used
)

// exit is an error with its exit code. Without err, nothing more is written.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func refused(err error) error { return &exit{exitRefused, err} }

func usage(text string) error { return &exit{exitUsage, errors.New(text)} }

// judged returns an error of a lane with exitRefused if it is about the message.
func judged(err error) error {
	for _, sentinel := range []error{
		sealane.ErrTooLarge, sealane.ErrFormat, sealane.ErrNotJWE,
		sealane.ErrDecryption, sealane.ErrNotJWS, sealane.ErrSignature,
	} {
		if errors.Is(err, sentinel) {
			return refused(err)
		}
	}
	return err
}

// codeOf returns the exit code of an error of a command's own work: the one in the error,
// or exitRefused if a rule refused the request.
func codeOf(err error) int {
	var e *exit
	var r *operation.RefusedError
	var pending *operation.PendingError
	switch {
	case errors.As(err, &pending):
		return exitPending
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &r):
		return exitRefused
	}
	return exitFailed
}

// withoutKeys returns the text of an error up to a private key in PEM. One that was given where another word
// belongs must not be in a terminal's history or in the log of a build.
func withoutKeys(text string) string {
	if i := strings.Index(text, "-----BEGIN "); i >= 0 && strings.Contains(text[i:], "PRIVATE KEY-----") {
		return text[:i] + "(a private key)"
	}
	return text
}

// writeError writes an error for programs, with each rule of the registry that refused.
func writeError(w io.Writer, err error, code int) {
	said := struct {
		Error    string           `json:"error"`
		Exit     int              `json:"exit"`
		Findings []cert.Finding   `json:"findings,omitempty"`
		Request  string           `json:"request,omitempty"` // that waits for a second person
		Next     operation.Advice `json:"next,omitzero"`
	}{Error: withoutKeys(strings.TrimPrefix(err.Error(), "sealane: ")), Exit: code, Next: operation.AdviceIn(err)}
	var r *operation.RefusedError
	if errors.As(err, &r) {
		said.Findings = r.Findings
	}
	var pending *operation.PendingError
	if errors.As(err, &pending) {
		said.Request = pending.Request.ID
	}
	_ = encodeJSON(w, said, "") // there is no other place to report it
}
