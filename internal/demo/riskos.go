package demo

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// riskosDemo is the exchange between a customer and a provider of RiskOS.
type riskosDemo struct {
	*scenario
	us, them           *company // the customer, the provider
	customer, provider *party
	url                string
	apiKeys            map[string]string // account name to API key
}

// run returns commands to try against the provider.
func (d *riskosDemo) run() ([]string, error) {
	d.part("RiskOS: a customer and a provider; JSON signed with RS256, encrypted with RSA-OAEP-256 and A256GCM")
	if err := d.exchange(); err != nil {
		return nil, err
	}
	if err := d.serve(); err != nil {
		return nil, err
	}
	if err := d.evaluations(); err != nil {
		return nil, err
	}
	d.documents()
	d.part("RiskOS: every error of the vendor's specification")
	if err := d.tableErrors(); err != nil {
		return nil, err
	}
	d.part("RiskOS: answers that must not be trusted")
	d.badAnswers()
	through, err := d.gateways()
	if err != nil {
		return nil, err
	}
	commands, err := d.commands()
	return append(commands, through), err
}

func (d *riskosDemo) exchange() (err error) {
	if d.us, err = d.openCompany("customer"); err != nil {
		return err
	}
	if d.them, err = d.openCompany("provider"); err != nil {
		return err
	}
	err = errors.Join(
		d.us.addPartner("provider", sealane.ClientSide),
		d.them.addPartner("customer", sealane.ServerSide))
	if err != nil {
		return err
	}
	if d.provider, err = d.them.makeParty("provider", ""); err != nil {
		return err
	}
	if d.customer, err = d.us.makeParty("customer", "provider"); err != nil {
		return err
	}
	for _, way := range []struct {
		from      *party
		to        *company
		extension string
	}{{d.customer, d.them, ".p7b"}, {d.provider, d.us, ".cer"}} {
		got, err := way.from.sendCertificate(way.to, way.extension)
		if err != nil {
			return err
		}
		if err := exchange.New(way.to.operator).Activate(d.ctx, got.ID); err != nil {
			return err
		}
		operator := way.from.company.operator
		installed := exchange.Target{KeyPair: way.from.pair, Partner: way.to.name}
		operator = operator.WithReason("the partner has installed it")
		if err := exchange.New(operator).MarkInstalled(d.ctx, installed); err != nil {
			return err
		}
	}
	d.us.preflight("provider")
	return nil
}

// serve starts the provider with three accounts: one that is set up, one whose
// certificates were never exchanged, and one for which the provider can't sign.
func (d *riskosDemo) serve() error {
	agreed, err := d.them.lane("customer")
	if err != nil {
		return err
	}
	theirs, err := partnerRing(agreed)
	if err != nil {
		return err
	}
	var accounts []riskos.Account
	for _, a := range []struct {
		name   string
		key    keyring.Private
		theirs *keyring.Ring
	}{
		{"customer", d.provider.Key, theirs},
		{"newcomer", d.provider.Key, nil},
		{"unlucky", mute{d.provider.Key}, theirs},
	} {
		ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: d.provider.KeyID, Private: a.key})
		if err != nil {
			return err
		}
		lane, err := sealane.New(sealane.Config{
			Profile: d.profile, Side: sealane.ServerSide, Environment: d.environment, Partner: a.name,
			Sealing: sealane.SealingOptional, Ours: ours, Theirs: a.theirs,
		})
		if err != nil {
			return err
		}
		d.apiKeys[a.name] = rand.Text()
		accounts = append(accounts, riskos.Account{Name: a.name, APIKey: d.apiKeys[a.name], Lane: lane, Signer: a.key})
	}
	provider, err := riskos.NewProvider(accounts, func() http.Handler { return &riskos.Service{} }, d.log)
	if err != nil {
		return err
	}
	d.url, err = d.start(provider)
	return err
}

// mute is a key that decrypts, but whose store refuses to sign.
type mute struct{ keyring.Private }

func (mute) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key's store refuses to sign")
}

// lane returns the customer's lane, changed by change if it is set.
func (d *riskosDemo) lane(change func(*sealane.Config)) (*sealane.Lane, error) {
	lane, err := d.us.lane("provider")
	if err != nil || change == nil {
		return lane, err
	}
	config := sealane.Config{
		Profile: d.profile, Side: lane.Side(), Partner: lane.Partner(),
		Environment: lane.Environment(), Sealing: lane.Sealing(),
	}
	ours := keyring.Key{State: keyring.Active, ID: lane.Ours()[0].ID, Private: d.customer.Key}
	if config.Ours, err = keyring.New(ours); err != nil {
		return nil, err
	}
	if config.Theirs, err = partnerRing(lane); err != nil {
		return nil, err
	}
	change(&config)
	return sealane.New(config)
}

// partnerRing returns the partner's keys of a lane.
func partnerRing(lane *sealane.Lane) (*keyring.Ring, error) {
	var keys []keyring.Key
	for _, k := range lane.Theirs() {
		keys = append(keys, keyring.Key{ID: k.ID, State: k.State, Use: k.Use, Public: k.Public})
	}
	return keyring.New(keys...)
}

// call is one request of the customer's application, which sees only plain JSON.
type call struct {
	method, path string
	payload      []byte
	plain        bool
	account      string                // default "customer"
	fault        sandbox.Fault         // that the provider's answer must have
	change       func(*sealane.Config) // changes the lane
	body         []byte                // replaces the sealed payload on the wire
}

// send makes a call and returns the answer's payload.
func (d *riskosDemo) send(n *notes, c call) (map[string]json.RawMessage, error) {
	lane, err := d.lane(c.change)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	r, err := d.request(ctx, c)
	if err != nil {
		return nil, err
	}
	d.wire.replace = c.body
	client := http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: d.wire}}
	answer, err := client.Do(r)
	d.wire.note(n)
	if err != nil {
		return nil, errors.Unwrap(err) // without the URL, which is in the note
	}
	defer answer.Body.Close()
	payload, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, err
	}
	message, sealed := sealhttp.MessageFrom(answer.Request.Context())
	if sealed == c.plain {
		return nil, fmt.Errorf("whether the answer is sealed: %t", sealed)
	}
	if verified, ok := message.(*sealane.Verified); ok {
		n.add("payload: %s bytes out, %s bytes back, signed by key %s",
			termtext.Count(len(c.payload)), termtext.Count(len(payload)), cert.ThumbprintJWK(verified.Signer().Public))
	}
	var members map[string]json.RawMessage
	return members, json.Unmarshal(payload, &members)
}

func (d *riskosDemo) request(ctx context.Context, c call) (*http.Request, error) {
	if c.plain {
		ctx = sealhttp.WithPlain(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, d.url+c.path, bytes.NewReader(c.payload))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.apiKeys[cmp.Or(c.account, "customer")])
	r.Header.Set("Content-Type", "application/json")
	if c.fault != "" {
		r.Header.Set(sandbox.FaultHeader, string(c.fault))
	}
	return r, nil
}
