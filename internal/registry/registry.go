// Package registry keeps what was agreed with partners: who they are, their
// environments, contacts and API keys, our key pairs, and the certificates of
// both sides. It holds the rules of the exchange, and builds the snapshot of lanes
// that traffic reads.
//
// Every change goes through a [Session] of one authenticated person, and is written
// to the audit log in the same transaction.
package registry

import (
	"context"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/rsaengine"
)

// Registry is the store with the rules for what is in it. Its fields must not change
// while it is used.
type Registry struct {
	Store Store
	Root  *rootkey.Ring     // opens and seals private keys, see UseRoot; nil: they stay closed
	RSA   *rsaengine.Engine // performs the operations of RSA keys; nil is crypto/rsa

	Now      func() time.Time                        // nil: time.Now
	Recorded func(ctx context.Context, h audit.Head) // nil, or told of each new head of the audit log
}

// Time returns the present time, in UTC.
func (r *Registry) Time() time.Time { return r.now() }

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC()
	}
	return r.Now().UTC()
}
