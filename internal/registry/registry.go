// Package registry has partners, their environments, contacts and API keys, our key pairs, and
// the certificates of both sides: their types, their rules, and who may do what. A [Store] keeps
// them; package lanes makes lanes of them, for serving programs.
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
	Root  *rootkey.Ring     // opens and seals private keys, see UseRoot; nil if they are not needed
	RSA   *rsaengine.Engine // performs the operations of RSA keys; nil is crypto/rsa

	opened *openedHashKey // set by UseRoot

	Now      func() time.Time                        // nil: time.Now
	Recorded func(ctx context.Context, h audit.Head) // if not nil, called with each new head of the audit log
}

// Time returns the present time, in UTC.
func (r *Registry) Time() time.Time { return r.now() }

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC()
	}
	return r.Now().UTC()
}
