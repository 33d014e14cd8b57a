package sealanetest

import (
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/sealhttp"
)

// IssuerOptions configure an [Issuer]. The zero value is useful.
type IssuerOptions struct {
	// Service answers the opened messages. The default is an issuer that steps up every
	// card except those that end in 1000 (success), 1018 (failure) and 1125 (blocked).
	Service http.Handler
	// Log receives the log of the issuer's Handler. The default discards it.
	Log *slog.Logger
}

// Issuer is a fake issuer that opens RDX messages and answers them in plain JSON.
type Issuer struct {
	// URL is the base URL: risk, stepup, initiateaction and validate are served under it, as URL +
	// "/risk".
	URL string
	// Lane is the lane of VCAS to the issuer.
	Lane *sealane.Lane

	server server

	mu        sync.Mutex
	passcodes map[string]string
}

// NewIssuer starts an issuer with [IssuerKey], which stops when the test ends.
func NewIssuer(t testing.TB, o IssuerOptions) *Issuer {
	t.Helper()
	i := &Issuer{Lane: newLane(t, VCASConfig()), passcodes: map[string]string{}}
	if o.Service == nil {
		o.Service = &rdx.Issuer{OnOTP: i.deliver}
	}
	i.server.faults.known = func(f Fault) bool { return isNamed(f, IssuerFaults()) }
	lane := newLane(t, IssuerConfig())
	i.server.handler = sandbox.NewEndpoint(lane, nil, i.server.behind(o.Service), i.server.log(o.Log))
	i.URL = i.server.start(t) + "/v1"
	return i
}

func (i *Issuer) deliver(transactionID, passcode string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.passcodes[transactionID] = passcode
}

// Passcode returns the passcode that was last sent to the cardholder of a transaction, or "".
func (i *Issuer) Passcode(transactionID string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.passcodes[transactionID]
}

// Client returns a client that seals its requests on Lane.
func (i *Issuer) Client() *http.Client { return sealhttp.NewClient(i.Lane) }

// Fail puts faults into the responses to the next requests, one each. An unknown fault fails the
// test.
func (i *Issuer) Fail(faults ...Fault) {
	i.server.t.Helper()
	i.server.faults.add(i.server.t, faults)
}

// Requests returns the requests so far, the oldest first.
func (i *Issuer) Requests() []Request { return i.server.all() }
