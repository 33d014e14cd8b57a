package riskos

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
)

// Account is one customer of the provider.
type Account struct {
	Name   string
	APIKey string
	Lane   *sealane.Lane // the server's side; without the customer's keys if none were exchanged
	// Signer is the active key of the lane. It signs answers that are sealed with a fault.
	Signer keyring.Private
}

// Provider is the RiskOS stand-in as its customers see it: API keys, encryption, and faults
// on demand (see [sandbox.FaultHeader]).
type Provider struct {
	accounts []account
}

type account struct {
	keyHash [sha256.Size]byte
	serve   http.Handler
}

// NewProvider returns the stand-in. Every account has a service of its own, made by
// service. log may be nil.
func NewProvider(accounts []Account, service func() http.Handler, log *slog.Logger) (*Provider, error) {
	p := &Provider{}
	for _, a := range accounts {
		if a.APIKey == "" || a.Lane == nil || a.Lane.Side() != sealane.ServerSide {
			return nil, fmt.Errorf("account %q needs an API key and a lane of the server's side", a.Name)
		}
		p.accounts = append(p.accounts, account{sha256.Sum256([]byte(a.APIKey)), sandbox.NewEndpoint(a.Lane, a.Signer,
			service(), log)})
	}
	if len(p.accounts) == 0 {
		return nil, errors.New("the provider needs at least one account")
	}
	return p, nil
}

// ServeHTTP finds the account by its API key, then serves with the fault that the request
// asks for.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := p.authenticate(r)
	if endpoint == nil {
		Unauthorized(w)
		return
	}
	endpoint.ServeHTTP(w, r)
}

func (p *Provider) authenticate(r *http.Request) http.Handler {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(key)))
	var found http.Handler
	for _, a := range p.accounts {
		if subtle.ConstantTimeCompare(hash[:], a.keyHash[:]) == 1 {
			found = a.serve
		}
	}
	return found
}
