package rdx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/sandbox"
)

// VCAS is the sender of RDX: it POSTs messages to an issuer's URLs, one for each call, and
// checks that the plain answers follow the contract. Its methods are safe for concurrent
// use.
type VCAS struct {
	// Client sends the messages; its Transport may seal them. The default has a time-out of
	// 30 seconds and follows no redirects.
	Client *http.Client
	// RiskURL and the others are the issuer's full URLs. Only those of the calls in use are
	// required.
	RiskURL, StepupURL, InitiateURL, ValidateURL string

	// ProcessorID, IssuerID and CardNumber are used in new transactions. The defaults are
	// test values.
	ProcessorID, IssuerID, CardNumber string
	// CredentialType is the cardholder's choice. The default, also if it is not offered, is
	// the first one offered.
	CredentialType string

	// Now is the clock. The default is time.Now.
	Now func() time.Time
	// Wait pauses before a repeat. The default is a timer that stops when ctx ends.
	Wait func(ctx context.Context, d time.Duration) error
}

// NewVCAS returns a VCAS whose calls go to base + "/risk", "/stepup", "/initiateaction" and "/validate".
func NewVCAS(client *http.Client, base string) *VCAS {
	base = strings.TrimRight(base, "/")
	return &VCAS{
		Client:  client,
		RiskURL: base + "/risk", StepupURL: base + "/stepup",
		InitiateURL: base + "/initiateaction", ValidateURL: base + "/validate",
	}
}

var plainClient = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Risk asks for the issuer's own assessment of a transaction.
func (v *VCAS) Risk(ctx context.Context, t Transaction) (Answer, error) {
	return v.send(ctx, CallRisk, v.RiskURL, t, Credential{}, "")
}

// Stepup asks how the cardholder can be challenged.
func (v *VCAS) Stepup(ctx context.Context, t Transaction) (Answer, error) {
	return v.send(ctx, CallStepup, v.StepupURL, t, Credential{}, "")
}

// InitiateAction has the issuer start the challenge with one of the credentials of stepup.
func (v *VCAS) InitiateAction(ctx context.Context, t Transaction, c Credential) (Answer, error) {
	return v.send(ctx, CallInitiateAction, v.InitiateURL, t, c, "")
}

// Validate passes on what the cardholder typed. value is empty for out-of-band and
// biometric credentials.
func (v *VCAS) Validate(ctx context.Context, t Transaction, c Credential, value string) (Answer, error) {
	return v.send(ctx, CallValidate, v.ValidateURL, t, c, value)
}

// send also returns what was received together with an error about it, so that the Raw
// answer can be shown.
func (v *VCAS) send(ctx context.Context, call, url string, t Transaction, c Credential, value string) (Answer, error) {
	a := Answer{Call: call}
	if url == "" {
		return a, fmt.Errorf("send %s: no URL for it; set the issuer's full URL", call)
	}
	body, err := json.Marshal(t.message(call, c, value))
	if err != nil {
		return a, fmt.Errorf("send %s: encode the message: %w", call, err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return a, fmt.Errorf("send %s: %w", call, err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json")
	client := v.Client
	if client == nil {
		client = plainClient
	}
	start := sandbox.Clock(v.Now).Now()
	r, err := client.Do(q)
	if err != nil {
		return a, fmt.Errorf("send %s: %w", call, err)
	}
	defer r.Body.Close()
	a.HTTPStatus = r.StatusCode
	a.Raw, err = io.ReadAll(io.LimitReader(r.Body, sandbox.BodyLimit+1))
	a.Duration = sandbox.Clock(v.Now).Now().Sub(start)
	switch {
	case len(a.Raw) > sandbox.BodyLimit:
		a.Raw = a.Raw[:sandbox.BodyLimit]
		return a, &AnswerError{call, "it is over 1 MiB"}
	case err != nil:
		return a, fmt.Errorf("read the answer to %s: %w", call, err)
	}
	return a, a.check(r.Header.Get("Content-Type"), t, c)
}

// ErrResend is returned by ask to VCAS.Challenge if the cardholder wants another passcode.
var ErrResend = errors.New("resend the passcode")

const (
	maxStepups  = 5  // in one challenge
	maxRetries  = 3  // asking again after RETRY, in one stepup
	maxPendings = 90 // three minutes of PENDING
	pendingWait = 2 * time.Second
)

// Ask returns what the cardholder types. See [VCAS.Challenge].
type Ask func(ctx context.Context, a Answer) (code string, err error)

// Challenge takes a new transaction from risk through stepup and initiateaction to
// validate, and returns every answer. The outcome is the last answer's Status. An error
// means that the contract was broken, a limit was reached, or ask failed.
//
// ask is called with the answer after which the cardholder is asked: that of
// initiateaction, or that of validate with RETRY, at most three more times. If it returns
// ErrResend, or the Status is STEPUP, another stepup begins with the next counter, at most
// five in all. It is not called for credentials that need no input.
func (v *VCAS) Challenge(ctx context.Context, ask Ask) ([]Answer, error) {
	t := v.NewTransaction()
	a, err := v.Risk(ctx, t)
	answers := []Answer{a}
	if err != nil || a.Status != StatusStepup {
		return answers, err
	}
	for ; t.StepupCounter < maxStepups; t.StepupCounter++ {
		more, err := v.stepupOnce(ctx, t, ask)
		answers = append(answers, more...)
		again := errors.Is(err, ErrResend) || err == nil && answers[len(answers)-1].Status == StatusStepup
		if !again {
			return answers, err
		}
	}
	return answers, fmt.Errorf("challenge %s: %d stepups brought no outcome", t.ID, maxStepups)
}

// stepupOnce returns an outcome, STEPUP, or an error such as ErrResend.
func (v *VCAS) stepupOnce(ctx context.Context, t Transaction, ask Ask) ([]Answer, error) {
	a, err := v.Stepup(ctx, t)
	answers := []Answer{a}
	if err != nil || a.Status != StatusSuccess {
		return answers, err
	}
	t.StepupType = a.StepupType
	c := a.Credentials[0]
	for _, offered := range a.Credentials {
		if offered.Type == v.CredentialType {
			c = offered
			break
		}
	}
	a, err = v.InitiateAction(ctx, t, c)
	answers = append(answers, a)
	if err != nil || a.Status != StatusSuccess {
		return answers, err
	}
	pendings, asked := 0, 0
	for {
		var code string
		if !silentCredential(c.Type) {
			if asked > maxRetries {
				return answers, fmt.Errorf("challenge %s: the issuer still answers RETRY after %d codes", t.ID, asked)
			}
			asked++
			if code, err = ask(ctx, a); err != nil {
				return answers, fmt.Errorf("challenge %s: ask the cardholder: %w", t.ID, err)
			}
		}
		a, err = v.Validate(ctx, t, c, code)
		answers = append(answers, a)
		switch {
		case err != nil || a.Status != StatusRetry && a.Status != StatusPending:
			return answers, err
		case silentCredential(c.Type): // nothing to ask for: RETRY means the same as PENDING
			if pendings++; pendings > maxPendings {
				return answers, fmt.Errorf("challenge %s: still no outcome after %d repeats", t.ID, maxPendings)
			}
			if err := v.wait(ctx, pendingWait); err != nil {
				return answers, fmt.Errorf("challenge %s: wait for the cardholder: %w", t.ID, err)
			}
		}
	}
}

func (v *VCAS) wait(ctx context.Context, d time.Duration) error {
	if v.Wait != nil {
		return v.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
