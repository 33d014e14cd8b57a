package command

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

// Exit codes.
const (
	exitFailed    = 1 // it could not be done: a file, a network, a setting
	exitUsage     = 2 // the command line is wrong
	exitRefused   = 3 // a message, certificate or key ID was judged and refused
	exitPartner   = 4 // the partner answered with an error
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

// asRefused returns an error of the registry with exitRefused if it is about what the
// caller asked for.
func asRefused(err error) error {
	var e *exit
	if err == nil || errors.As(err, &e) || notJudged(err) {
		return err
	}
	return refused(err)
}

// notJudged reports whether an error is about a file, the database or a setting, or a
// change that somebody else made at the same time.
func notJudged(err error) bool {
	for _, about := range []error{
		context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission,
		registry.ErrStore, registry.ErrNotFound, registry.ErrExists, registry.ErrConflict,
		registry.ErrUnknownToken, registry.ErrNoRoot, rootkey.ErrOtherKey,
	} {
		if errors.Is(err, about) {
			return true
		}
	}
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	return errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &call)
}

// writeError writes an error for programs, with each rule of the registry that refused.
func writeError(w io.Writer, err error, code int) {
	said := struct {
		Error    string             `json:"error"`
		Exit     int                `json:"exit"`
		Findings []registry.Finding `json:"findings,omitempty"`
	}{strings.TrimPrefix(err.Error(), "sealane: "), code, findings(err)}
	_ = encodeJSON(w, said, "") // there is no other place to report to
}

// findings returns the findings of the registry's rules within an error.
func findings(err error) (list []registry.Finding) {
	switch e := err.(type) {
	case registry.Finding:
		return []registry.Finding{e}
	case interface{ Unwrap() error }:
		return findings(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, findings(one)...)
		}
	}
	return list
}
