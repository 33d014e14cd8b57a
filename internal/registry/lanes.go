package registry

import (
	"context"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/keyring"
)

// Lanes returns the reader of the registry's lanes. It opens private keys by the root key
// that the Registry has when they are first used.
func (r *Registry) Lanes() *lanes.Reader {
	return &lanes.Reader{Store: r.Store, Open: r.openForLane, OpenHashKey: r.openHashKey, RSA: r.RSA, Now: r.now}
}

// Snapshot reads all lanes as they are now.
func (r *Registry) Snapshot(ctx context.Context) (*lanes.Snapshot, error) {
	return r.Lanes().Read(ctx, r.now())
}

func (r *Registry) openForLane(k lanes.KeyPair) (keyring.Private, error) {
	key, err := r.unseal(KeyPair{
		ID: k.ID, Partner: k.Partner, Environment: k.Environment, SPKI: k.SPKI, Sealed: k.Sealed, SealedAs: k.SealedAs,
	})
	if err != nil {
		return nil, err
	}
	return r.RSA.PrivateKey(key)
}

// laneRow returns the row that lanes are made of.
func (p Partner) laneRow() lanes.Partner {
	return lanes.Partner{ID: p.ID, Profile: p.Profile, Side: p.Side}
}

// laneRow returns the row that lanes are made of.
func (e Environment) laneRow() lanes.Environment {
	return lanes.Environment{
		Partner: e.Partner, Name: e.Name, Account: e.Account, Sealing: e.Sealing, SenderAuth: e.SenderAuth,
		AcceptRSAOAEP: e.AcceptRSAOAEP, MaxPayload: e.MaxPayload, URL: e.URL, Limits: e.Limits,
		Expired: e.Expired, NoResend: e.NoResend,
	}
}
