package registry

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"iter"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// Viewer is the registry as one authenticated person may read it. It changes nothing.
type Viewer struct {
	registry *Registry
	person   Person
}

// View runs look on a consistent state of the registry.
func (v *Viewer) View(ctx context.Context, look func(Reader) error) error {
	return v.registry.Store.View(ctx, look)
}

// Person returns the person as of the login.
func (v *Viewer) Person() Person { return v.person }

// Time returns the present time, in UTC.
func (v *Viewer) Time() time.Time { return v.registry.now() }

// HasRoot reports whether private keys are sealed under a root key.
func (v *Viewer) HasRoot(ctx context.Context) (bool, error) { return v.registry.HasRoot(ctx) }

// Usable returns an error if a key pair's private key can't be opened.
func (v *Viewer) Usable(k KeyPair) error { return v.registry.Usable(k) }

// Lane reads one lane as it is now.
func (v *Viewer) Lane(ctx context.Context, name lanes.Name) (*sealane.Lane, error) {
	return v.registry.Lanes().ReadLane(ctx, name, v.Time())
}

// Inventory is [Registry.Inventory].
func (v *Viewer) Inventory(ctx context.Context, q CertificateQuery) iter.Seq2[InventoryRow, error] {
	return v.registry.Inventory(ctx, q)
}

// Anchors is [Registry.Anchors].
func (v *Viewer) Anchors(ctx context.Context) ([]string, error) { return v.registry.Anchors(ctx) }

// ComparePrimes is [Registry.ComparePrimes].
func (v *Viewer) ComparePrimes(ctx context.Context, keys []*rsa.PublicKey, since int64) (PrimeComparison, error) {
	return v.registry.ComparePrimes(ctx, keys, since)
}

// CheckCertificate is [Registry.CheckCertificate].
func (v *Viewer) CheckCertificate(
	tx Reader, c *Certificate, leaf *x509.Certificate, prof *profile.Profile,
) ([]cert.Finding, error) {
	return v.registry.CheckCertificate(tx, c, leaf, prof)
}

// CheckKeyID is [Registry.CheckKeyID].
func (v *Viewer) CheckKeyID(tx Reader, keyID string, c *Certificate, prof *profile.Profile, imported bool) error {
	return v.registry.CheckKeyID(tx, keyID, c, prof, imported)
}

// Session is the registry as one authenticated person may use it. What is done in it
// is recorded in that person's name.
type Session struct {
	Viewer
	reason   string    // of the changes
	approved *approval // the request whose act is done in this session; nil: none
	program  *program  // nil: the session is a person's
}

// Login returns the session of the person whose token it is. The error is
// [ErrUnknownToken] where nobody has it.
func (r *Registry) Login(ctx context.Context, token string) (*Session, error) {
	var p Person
	hash := lanes.TokenHash(token)
	err := r.Store.View(ctx, func(tx Reader) (err error) {
		p, err = tx.PersonBySHA256(hash[:])
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !p.Revoked.IsZero():
		return nil, ErrUnknownToken
	case err != nil:
		return nil, err
	}
	return &Session{Viewer: Viewer{registry: r, person: p}}, nil
}

// Registry returns the registry that the session is of.
func (s *Session) Registry() *Registry { return s.registry }

// WithReason returns the session with a reason, which is recorded with the changes that are
// made by it. It belongs to one change, or to several that are done for the same reason.
func (s *Session) WithReason(reason string) *Session {
	with := *s
	with.reason = reason
	return &with
}

// Reason returns the reason of the changes, which may be empty.
func (s *Session) Reason() string { return s.reason }

// ErrChangedSinceLogin means that the person's roles or token have changed since the session began.
var ErrChangedSinceLogin = errors.New("your roles or your token have changed since this began: run it again")

// ErrUnknownToken means that a token is not known, or was revoked.
var ErrUnknownToken = errors.New("the token is not known or was revoked")
