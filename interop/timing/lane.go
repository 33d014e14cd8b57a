package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

const (
	bits       = 2048
	customerID = "customer"
	providerID = "provider"
)

// parties have the keys of one run.
type parties struct {
	customer, provider, stranger *rsa.PrivateKey
	content                      *alg.Content
}

func newParties() (p parties, err error) {
	p.content = alg.A256GCM
	for _, key := range []**rsa.PrivateKey{&p.customer, &p.provider, &p.stranger} {
		if *key, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
			return parties{}, err
		}
	}
	return p, nil
}

func (p parties) material() malform.Material {
	return malform.Material{Signer: p.customer, SignerID: customerID, Recipient: &p.provider.PublicKey,
		RecipientID: providerID,
		Other:       p.stranger, Nested: true, Content: p.content}
}

// none selects an engine without RSA; see recalled.
const none = "none"

// end is the provider's end of a RiskOS lane.
type end struct {
	*sealane.Lane
	engine string
	expect func(token []byte) // is called with the token before the clock starts
	others int                // messages that are opened at the same time, and share its batch
}

// end returns the provider's end with its keys in one engine.
func (p parties) end(choice string, pools []pool) (end, error) {
	if choice == none {
		private, err := recall(p.provider, pools)
		if err != nil {
			return end{}, err
		}
		lane, err := p.lane(nil, private)
		return end{lane, "without the private operation, whose results are known", private.expect, 0}, err
	}
	by, err := rsaengine.Select(choice)
	if err != nil {
		return end{}, err
	}
	private, err := by.PrivateKey(p.provider)
	if err != nil {
		return end{}, err
	}
	lane, err := p.lane(by, private)
	e := end{lane, by.String(), func([]byte) {}, 0}
	if by.Batches() != nil {
		e.others = 7
	}
	return e, err
}

func (p parties) lane(by *rsaengine.Engine, private keyring.Private) (*sealane.Lane, error) {
	dialect, err := profile.Load("riskos")
	if err != nil {
		return nil, err
	}
	for _, d := range []*profile.Direction{&dialect.Request, &dialect.Response} {
		d.Encrypt.Enc = profile.Algorithms{Seal: p.content.Name, Open: []string{p.content.Name}}
	}
	operations, err := by.PublicOps(&p.customer.PublicKey)
	if err != nil {
		return nil, err
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: providerID, Private: private})
	if err != nil {
		return nil, err
	}
	theirs, err := keyring.New(keyring.Key{
		State:     keyring.Active,
		ID:        customerID,
		Public:    &p.customer.PublicKey,
		PublicOps: operations,
	})
	if err != nil {
		return nil, err
	}
	return sealane.New(sealane.Config{Profile: dialect, Side: sealane.ServerSide, Ours: ours, Theirs: theirs})
}

// pool holds the tokens of one class.
type pool struct {
	class
	tokens [][]byte
}

// makePools makes n tokens for each class, and checks that all have one length.
func makePools(ctx context.Context, p parties, n int) ([]pool, error) {
	var pools []pool
	for _, c := range classes() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tokens, err := c.tokens(n, p.material())
		if err != nil {
			return nil, fmt.Errorf("tokens of class %s: %w", c.name, err)
		}
		pools = append(pools, pool{c, tokens})
		for _, token := range tokens {
			if want := len(pools[0].tokens[0]); len(token) != want {
				return nil, fmt.Errorf("a token of class %s has %d bytes, others have %d", c.name, len(token), want)
			}
		}
	}
	return pools, nil
}

// draw copies a token to place, so that all classes are read from the same memory and the
// same cache.
func (p pool) draw(place []byte, of end) {
	copy(place, p.tokens[mathrand.IntN(len(p.tokens))])
	of.expect(place)
}

// openSubjects measure Lane.Open.
func openSubjects(ctx context.Context, e end, pools []pool) []subject {
	place := make([]byte, len(pools[0].tokens[0]))
	around := newAround(ctx, e, pools)
	subjects := make([]subject, len(pools))
	for i, p := range pools {
		subjects[i] = subject{p.name, p.every, func() (time.Duration, error) {
			p.draw(place, e)
			wait := around.open()
			start := time.Now()
			m, err := e.Open(ctx, place)
			took := time.Since(start)
			wait()
			if got := sealane.FaultOf(err); got != p.fault || (m == nil) != (p.fault != "") {
				return 0, fmt.Errorf("fault is %q, not %q", got, p.fault)
			}
			return took, nil
		}}
	}
	return subjects
}

// around opens messages of all classes, good and bad, at the same time as the one that is measured, so
// that they share its batch.
type around struct {
	ctx    context.Context
	end    end
	pools  []pool
	places [][]byte
}

func newAround(ctx context.Context, e end, pools []pool) *around {
	a := &around{ctx, e, pools, make([][]byte, e.others)}
	for i := range a.places {
		a.places[i] = make([]byte, len(pools[0].tokens[0]))
	}
	return a
}

// open starts to open the others. The caller calls wait when it is done with its own.
func (a *around) open() (wait func()) {
	var all sync.WaitGroup
	for _, place := range a.places {
		a.pools[mathrand.IntN(len(a.pools))].draw(place, a.end)
		all.Go(func() { a.end.Open(a.ctx, place) }) // most are bad
	}
	return all.Wait
}
