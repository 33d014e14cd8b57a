package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealhttp"
)

// Account is one customer of the provider.
type Account struct {
	Name   string
	APIKey string
	Lane   *sealane.Lane // the server's side; without the customer's keys where none were exchanged
}

// Provider is the RiskOS stand-in as its customers meet it: API keys,
// encryption, and faults on demand (see FaultHeader).
type Provider struct {
	accounts []*providerAccount
}

type providerAccount struct {
	keyHash [sha256.Size]byte
	lane    *sealane.Lane
	handler *sealhttp.Handler

	mu       sync.Mutex
	previous []byte // the last sealed answer, for the fault "swapped"
}

// NewProvider makes the stand-in. Every account has a RiskOS of its own, made
// by service. log may be nil.
func NewProvider(accounts []Account, service func() http.Handler, log *slog.Logger) (*Provider, error) {
	p := &Provider{}
	for _, a := range accounts {
		if a.APIKey == "" || a.Lane == nil || a.Lane.Config().Side != sealane.ServerSide {
			return nil, fmt.Errorf("account %q needs an API key and a lane of the server's side", a.Name)
		}
		lane := a.Lane
		p.accounts = append(p.accounts, &providerAccount{
			keyHash: sha256.Sum256([]byte(a.APIKey)),
			lane:    lane,
			handler: &sealhttp.Handler{
				Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
				Next: keepPayload(service()),
				Log:  log,
			},
		})
	}
	if len(p.accounts) == 0 {
		return nil, errors.New("the provider needs at least one account")
	}
	return p, nil
}

// ServeHTTP finds the account by its API key, then serves as it is told to.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := p.authenticate(r)
	if a == nil {
		Unauthorized(w)
		return
	}
	if fault := r.Header.Get(FaultHeader); fault != "" {
		a.misbehave(w, r, fault)
		return
	}
	answer := newCapture()
	a.handler.ServeHTTP(answer, r)
	a.remember(answer)
	answer.sendTo(w)
}

func (p *Provider) authenticate(r *http.Request) *providerAccount {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(key)))
	var found *providerAccount
	for _, a := range p.accounts {
		if subtle.ConstantTimeCompare(hash[:], a.keyHash[:]) == 1 {
			found = a
		}
	}
	return found
}

func (a *providerAccount) remember(answer *capture) {
	if answer.status/100 == 2 && bytes.Contains(answer.body.Bytes(), []byte(a.lane.Out().Body.Field)) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.previous = bytes.Clone(answer.body.Bytes())
	}
}

// payloadKeeper takes the plain answer on its way to be sealed, for faults that
// have to seal it wrongly.
type payloadKeeper struct{ payload []byte }

type payloadKey struct{}

func keepPayload(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keeper, ok := r.Context().Value(payloadKey{}).(*payloadKeeper)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		answer := newCapture()
		next.ServeHTTP(answer, r)
		keeper.payload = bytes.Clone(answer.body.Bytes())
		answer.sendTo(w)
	})
}

func withKeeper(r *http.Request) (*http.Request, *payloadKeeper) {
	keeper := &payloadKeeper{}
	return r.WithContext(context.WithValue(r.Context(), payloadKey{}, keeper)), keeper
}

// capture is an answer that is not sent yet.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newCapture() *capture { return &capture{header: http.Header{}, status: http.StatusOK} }

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

func (c *capture) sendTo(w http.ResponseWriter) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(c.body.Len()))
	w.WriteHeader(c.status)
	w.Write(c.body.Bytes()) // an error here is the client's going away
}
