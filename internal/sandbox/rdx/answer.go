package rdx

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/sandbox"
)

// Answer is an issuer's answer to one call. Raw is the body as received. With an
// AnswerError the other members hold what was read before the fault.
type Answer struct {
	Call       string
	HTTPStatus int
	Duration   time.Duration // from sending to the last byte
	Raw        []byte

	ProcessorID, IssuerID, TransactionID, StepupRequestID string

	Status            string
	TransStatusReason string
	Language          string
	StepupType        string
	Credentials       []Credential
	CredentialID      string
	Reason            *Reason
	Error             *ErrorDetail
}

// AnswerError reports an answer that breaks the contract of RDX.
type AnswerError struct {
	Call string
	What string
}

func (e *AnswerError) Error() string { return "answer to " + e.Call + ": " + e.What }

// check reads the answer and checks the contract: 200, a JSON object, the ids as sent, a
// Status that the call allows, and the credentials that a challenge needs. It ignores
// unknown members, and optional ones of an unexpected shape.
func (a *Answer) check(contentType string, sent Transaction, c Credential) error {
	fault := func(format string, args ...any) error { return &AnswerError{a.Call, fmt.Sprintf(format, args...)} }
	m, err := sandbox.ParseMembers(a.Raw)
	a.Reason, a.Error = optional[Reason](m, "Reason"), optional[ErrorDetail](m, "Error")
	if a.HTTPStatus != http.StatusOK {
		said := ""
		if a.Error != nil && a.Error.Description != "" {
			said = fmt.Sprintf("; the issuer says %.200q", a.Error.Description)
		}
		return fault("HTTP status is %d, want 200%s", a.HTTPStatus, said)
	}
	if err != nil {
		return fault("the body (%d bytes) %v", len(a.Raw), err)
	}
	if contentType != "" && !jsonType(contentType) {
		return fault("Content-Type is %.80q, want application/json", contentType)
	}
	if err := a.checkEchoes(m, sent, c, fault); err != nil {
		return err
	}
	a.TransStatusReason, _ = m.Text("TransStatusReason")
	a.Language, _ = m.Text("Language")
	a.StepupType, _ = m.Text("StepupType")
	allowed := allowedStatus[a.Call]
	status, _ := m.Text("Status")
	a.Status = status
	switch {
	case !m.Has("Status"):
		return fault("Status is missing, want one of %s", strings.Join(allowed, " "))
	case !slices.Contains(allowed, status):
		return fault("Status is %.80q, want one of %s", status, strings.Join(allowed, " "))
	case status == StatusPending && !silentCredential(c.Type):
		return fault("Status is PENDING for a %s credential; only out-of-band and biometric ones may be", c.Type)
	}
	if status != StatusSuccess || a.Call != CallStepup && a.Call != CallInitiateAction {
		return nil
	}
	return a.readCredentials(m, c, fault)
}

// checkEchoes checks that the answer repeats the ids of the request.
func (a *Answer) checkEchoes(
	m sandbox.Members, sent Transaction, c Credential, fault func(string, ...any) error,
) error {
	for _, echo := range []struct {
		name, sent string
		into       *string
		due        bool
	}{
		{"ProcessorId", sent.ProcessorID, &a.ProcessorID, true},
		{"IssuerId", sent.IssuerID, &a.IssuerID, true},
		{"TransactionId", sent.ID, &a.TransactionID, true},
		{"StepupRequestId", sent.StepupRequestID, &a.StepupRequestID, a.Call != CallRisk},
		{"CredentialId", c.ID, &a.CredentialID, a.Call == CallValidate && m.Has("CredentialId")},
	} {
		if !echo.due {
			continue
		}
		got, ok := m.Text(echo.name)
		*echo.into = got
		switch {
		case !m.Has(echo.name):
			return fault("%s is missing, sent %q", echo.name, echo.sent)
		case !ok:
			return fault("%s is not a string, sent %q", echo.name, echo.sent)
		case got != echo.sent:
			return fault("%s is %.80q, sent %q", echo.name, got, echo.sent)
		}
	}
	return nil
}

func (a *Answer) readCredentials(m sandbox.Members, c Credential, fault func(string, ...any) error) error {
	list, err := m.Objects("Credentials")
	if err != nil {
		return fault("%v", err)
	}
	if len(list) == 0 {
		return fault("Credentials is missing or empty; a successful %s names at least one", a.Call)
	}
	for i, o := range list {
		var got Credential
		for _, f := range []struct {
			name string
			into *string
			due  bool
		}{{"Id", &got.ID, true}, {"Type", &got.Type, true}, {"Text", &got.Text, false}, {"Token", &got.Token, false}} {
			text, ok := o.Text(f.name)
			if f.due && (!ok || text == "") {
				return fault("Credentials[%d].%s is missing, empty or not a string", i, f.name)
			}
			*f.into = text
		}
		if len(got.ID) > 36 {
			return fault("Credentials[%d].Id has %d characters, at most 36 are allowed", i, len(got.ID))
		}
		if slices.ContainsFunc(a.Credentials, func(o Credential) bool { return o.ID == got.ID }) {
			return fault("Credentials[%d].Id is that of an earlier one; each needs its own", i)
		}
		a.Credentials = append(a.Credentials, got)
	}
	chosen := func(o Credential) bool { return o.ID == c.ID }
	if a.Call == CallInitiateAction && !slices.ContainsFunc(a.Credentials, chosen) {
		return fault("Credentials names %.80q, sent %q", a.Credentials[0].ID, c.ID)
	}
	return nil
}

func optional[T any](m sandbox.Members, name string) *T {
	var v T
	if !m.Has(name) || json.Unmarshal(m[name], &v) != nil {
		return nil
	}
	return &v
}

func jsonType(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
