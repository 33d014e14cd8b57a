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

// VCAS is the sender of RDX: it POSTs messages to an issuer's URLs, one for each call, and holds
// the plain answers to the contract. Its methods may be used from several goroutines.
type VCAS struct {
	// Client sends; a sealed lane is its Transport. Nil means a client with a 30 second timeout
	// that follows no redirects.
	Client *http.Client
	// RiskURL and the others are the issuer's full URLs. Only those that are called are needed.
	RiskURL, StepupURL, InitiateURL, ValidateURL string

	// ProcessorID, IssuerID and CardNumber go into new transactions; test values when empty.
	ProcessorID, IssuerID, CardNumber string
	// CredentialType is what a cardholder with a choice takes; the first that is offered when it is
	// empty or not offered.
	CredentialType string

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wait pauses before a repeat; nil means a timer that gives up with ctx.
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

// Validate hands the issuer what the cardholder typed; value is empty for out-of-band and biometric credentials.
func (v *VCAS) Validate(ctx context.Context, t Transaction, c Credential, value string) (Answer, error) {
	return v.send(ctx, CallValidate, v.ValidateURL, t, c, value)
}

// send returns what was received also with an error about it, so that the Raw answer can be shown.
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

// ErrResend is what ask returns to VCAS.Challenge when the cardholder wants another passcode.
var ErrResend = errors.New("resend the passcode")

const (
	maxStepups  = 5  // in one challenge
	maxRetries  = 3  // asking again after RETRY, in one stepup
	maxPendings = 90 // three minutes of PENDING
	pendingWait = 2 * time.Second
)

// Ask returns what the cardholder types. See [VCAS.Challenge].
type Ask func(ctx context.Context, a Answer) (code string, err error)

// Challenge takes a new transaction from risk through stepup and initiateaction to validate, and
// returns every answer. The outcome is the last answer's Status; an error means that the contract
// was broken, a limit was reached, or ask failed.
//
// ask gets the answer after which the cardholder is asked: initiateaction's, or validate's with
// RETRY, at most three times again. ErrResend from it, and the Status STEPUP, start another stepup
// with the next counter, at most five in all. It is not called for credentials that take no input.
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

// stepupOnce ends with an outcome, with STEPUP, or with an error, ErrResend among them.
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
		case silentCredential(c.Type): // with nothing to ask for, RETRY means what PENDING means
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
