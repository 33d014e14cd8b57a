package sealanetest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// VCASOptions configure a [VCAS].
type VCASOptions struct {
	// URL is the issuer's base URL, to which /risk, /stepup, /initiateaction and /validate
	// are added. It is required.
	URL string
	// Issuer has the issuer's public key under the key ID (alias). The default is IssuerKey.
	Issuer *keyring.Ring
	// CardNumber is the test card's. The default is one that a fake Issuer steps up.
	CardNumber string
	// Base sends the sealed messages. The default is http.DefaultTransport, which has no
	// client certificate.
	Base http.RoundTripper
}

// VCAS is a fake VCAS, which sends RDX messages to an issuer.
type VCAS struct {
	// Lane is the lane to the issuer.
	Lane *sealane.Lane

	t      testing.TB
	vcas   *rdx.VCAS
	faults queue
}

// Answer is an issuer's answer to one message.
type Answer struct {
	// Call is the message: risk, stepup, initiateaction or validate.
	Call string
	// HTTPStatus is the status of the HTTP response, or 0 if there was none.
	HTTPStatus int
	// Body is the body of the response.
	Body []byte
	// TransactionID is the challenge's.
	TransactionID string
	// Status is the answer's member Status, such as SUCCESS or STEPUP.
	Status string
	// CredentialType is the type of the first credential that the answer offers, such as
	// OTPSMS.
	CredentialType string
}

// NewVCAS returns a VCAS that sends to the issuer at o.URL.
func NewVCAS(t testing.TB, o VCASOptions) *VCAS {
	t.Helper()
	config := VCASConfig()
	if o.Issuer != nil {
		config.Theirs = o.Issuer
	}
	if o.Base == nil {
		o.Base = http.DefaultTransport
	}
	v := &VCAS{Lane: newLane(t, config), t: t}
	v.faults.known = func(f Fault) bool { return isNamed(f, VCASFaults()) || isCode(f) }
	client := &http.Client{Timeout: 30 * time.Second, Transport: faultyTransport{v, o.Base}}
	v.vcas = rdx.NewVCAS(client, o.URL)
	v.vcas.CardNumber = o.CardNumber
	return v
}

// Fail puts faults into the next messages, one each. An unknown fault fails the test.
func (v *VCAS) Fail(faults ...Fault) {
	v.t.Helper()
	v.faults.add(v.t, faults)
}

// Risk asks the issuer for its assessment of a new transaction. The error describes how the
// answer breaks the contract of RDX, or why there is none.
func (v *VCAS) Risk(ctx context.Context) (Answer, error) {
	a, err := v.vcas.Risk(ctx, v.vcas.NewTransaction())
	return answerOf(a), err
}

// Challenge sends risk and, if the issuer asks for it, stepup, initiateaction and validate,
// and returns all answers. It calls passcode with the answer after which the cardholder
// types one. The outcome is the Status of the last answer. The error describes how an
// answer breaks the contract of RDX, or why there is none.
func (v *VCAS) Challenge(
	ctx context.Context, passcode func(context.Context, Answer) (string, error),
) ([]Answer, error) {
	answers, err := v.vcas.Challenge(ctx, func(ctx context.Context, a rdx.Answer) (string, error) {
		return passcode(ctx, answerOf(a))
	})
	list := make([]Answer, len(answers))
	for i, a := range answers {
		list[i] = answerOf(a)
	}
	return list, err
}

func answerOf(a rdx.Answer) Answer {
	answer := Answer{
		Call: a.Call, HTTPStatus: a.HTTPStatus, Body: a.Raw, TransactionID: a.TransactionID, Status: a.Status,
	}
	if len(a.Credentials) > 0 {
		answer.CredentialType = a.Credentials[0].Type
	}
	return answer
}

// faultyTransport seals with the fault that is due.
type faultyTransport struct {
	v    *VCAS
	base http.RoundTripper
}

func (t faultyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if f, ok := t.v.faults.next(); ok {
		faulty := &sandbox.FaultyTransport{Lane: t.v.Lane, Fault: sandbox.Fault(f), Base: t.base}
		return faulty.RoundTrip(r)
	}
	sealing := &sealhttp.Transport{Lane: sealhttp.OneLane(t.v.Lane), Base: t.base}
	return sealing.RoundTrip(r)
}
