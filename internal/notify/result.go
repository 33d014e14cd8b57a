package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
)

// result says what became of the attempt that ended with an error, or without.
func (s *session) result(err error) Result {
	r := Result{Stage: s.stage, DSN: s.asked, Err: s.explain(err), ServerEnds: s.facts.Ends}
	if err == nil {
		r.State, r.Code, r.Words = Accepted, 250, s.clean(s.words)
		return r
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok && s.stage != StageSending {
		r.Code, r.Words = answer.Code, s.clean(answer.Msg)
	}
	r.State = s.judge(r.Code)
	if r.State == Accepted {
		r.Err = nil
	}
	return r
}

// judge returns the state of an attempt that ended with a code, or with none.
func (s *session) judge(code int) State {
	final := s.stage == StageRecipient || s.stage == StageData || s.stage == StageEnd
	switch class := code / 100; {
	case class == 5 && final && !aboutLogin(code):
		return Refused
	case s.stage == StageEnd && class == 2: // any code of this class means that the mail was taken (RFC 5321, 4.2.1)
		return Accepted
	case s.stage == StageEnd && class != 4 && class != 5:
		return Unknown
	}
	return Deferred
}

// aboutLogin reports whether a code says that the login is missing or wrong (RFC 4954), at whatever command.
func aboutLogin(code int) bool { return code == 530 || code == 534 || code == 535 || code == 538 }

// explain returns the error for operators: the server, the stage, and what was wrong.
func (s *session) explain(err error) error {
	if err == nil {
		return nil
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok &&
		len(certificate.UnverifiedCertificates) > 0 {
		s.facts.Ends = certificate.UnverifiedCertificates[0].NotAfter
	}
	if ended := s.ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = cmp.Or(context.Cause(s.ctx), ended) // the connection was closed because of it
	}
	return &serverError{server: s.m.c.Server, stage: s.stage, text: s.clean(err.Error()), err: err}
}

// serverError is an error in the conversation with a mail server. Its text has no password.
type serverError struct {
	server string
	stage  Stage
	text   string
	err    error
}

func (e *serverError) Error() string {
	return fmt.Sprintf("mail server %s, %s: %s", e.server, e.stage, e.text)
}

// Unwrap returns what the caller may look for, but no text of the server.
func (e *serverError) Unwrap() error {
	if _, ok := errors.AsType[*textproto.Error](e.err); ok {
		return nil
	}
	return e.err
}

// clean returns what a server said, without what it repeated of the login.
func (s *session) clean(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return printable(text)
}
