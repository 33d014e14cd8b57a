package sealanetest

import (
	"cmp"
	"log/slog"
	"net/http"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// ProviderOptions configure a [Provider]. The zero value is useful.
type ProviderOptions struct {
	// Service answers the opened requests. The default is a RiskOS whose decisions follow
	// the names in the data: the family name Accept is accepted, Reject is rejected, and
	// Review is paused for the passcode 123456.
	Service http.Handler
	// APIKey is the account's. The default is "test-api-key".
	APIKey string
	// Customer has the customer's public keys. The default is CustomerKey. With another
	// ring, the customer's lane needs its private keys (CustomerConfig, with Ours). An
	// empty ring stands for an account whose keys were never exchanged.
	Customer *keyring.Ring
	// Sealing says whether unencrypted requests are served. The default is
	// sealane.SealingOptional.
	Sealing sealane.Sealing
	// Log receives the log of the provider's Handler. The default discards it.
	Log *slog.Logger
}

// Provider is a fake provider of RiskOS with one account.
type Provider struct {
	// URL is the base URL, such as http://127.0.0.1:34567.
	URL string
	// APIKey must be sent with every request: Authorization: Bearer APIKey.
	APIKey string
	// Lane is the customer's lane to the provider, with CustomerKey.
	Lane *sealane.Lane

	server server
}

// NewProvider starts a provider, which stops when the test ends.
func NewProvider(t testing.TB, o ProviderOptions) *Provider {
	t.Helper()
	config := ProviderConfig()
	config.Sealing = cmp.Or(o.Sealing, sealane.SealingOptional)
	if o.Customer != nil {
		config.Theirs = o.Customer
	}
	if o.Service == nil {
		o.Service = &riskos.Service{}
	}
	p := &Provider{APIKey: cmp.Or(o.APIKey, "test-api-key"), Lane: newLane(t, CustomerConfig())}
	p.server.faults.known = func(f Fault) bool { return isNamed(f, ProviderFaults()) || isCode(f) }
	account := riskos.Account{
		Name: "customer", APIKey: p.APIKey, Lane: newLane(t, config), Signer: ProviderKey().Private,
	}
	provider, err := riskos.NewProvider([]riskos.Account{account},
		func() http.Handler { return p.server.behind(o.Service) }, p.server.log(o.Log))
	if err != nil {
		t.Fatal(err)
	}
	p.server.handler = provider
	p.URL = p.server.start(t)
	return p
}

// Client returns a client that seals its requests on Lane and sends the API key.
func (p *Provider) Client() *http.Client {
	client := sealhttp.NewClient(p.Lane)
	client.Transport = withAPIKey{p.APIKey, client.Transport}
	return client
}

// Fail puts faults into the responses to the next requests, one each. An unknown fault fails the
// test. So does a fault of a sealed message if the service answers with an error, because errors
// are not sealed.
func (p *Provider) Fail(faults ...Fault) {
	p.server.t.Helper()
	p.server.faults.add(p.server.t, faults)
}

// Requests returns the requests so far, the oldest first.
func (p *Provider) Requests() []Request { return p.server.all() }

// withAPIKey adds the API key to requests.
type withAPIKey struct {
	key  string
	base http.RoundTripper
}

func (t withAPIKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.key)
	return t.base.RoundTrip(r)
}
