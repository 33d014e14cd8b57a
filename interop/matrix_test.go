package interop

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// RDX requires a key ID that the lane knows; RiskOS accepts any.
const (
	ourKeyID  = "OURS.interop.key-1"
	peerKeyID = "PEER.interop.key-1"
)

// flow is one direction of messages between us and a peer, in one profile.
type flow struct {
	name          string // as in the table of results
	profile       string
	signed        bool
	weSeal        bool   // else the peer does
	keyEncryption string // by which the peer seals, and which it allows to open
	acceptRSAOAEP string // the lane's reason

	// They replace the profile's algorithms if they are not empty.
	signature, content string
}

var flows = []flow{
	{name: "riskos →", profile: "riskos", signed: true, weSeal: true, keyEncryption: "RSA-OAEP-256"},
	{name: "riskos ←", profile: "riskos", signed: true, keyEncryption: "RSA-OAEP-256"},
	{name: "rdx →", profile: "rdx", weSeal: true, keyEncryption: "RSA-OAEP-256"},
	{name: "rdx ←", profile: "rdx", keyEncryption: "RSA-OAEP-256"},
	{name: "rdx ← SHA-1", profile: "rdx", keyEncryption: "RSA-OAEP", acceptRSAOAEP: "the peer's library is old"},
	{name: "PS256 A128CBC →", profile: "riskos", signed: true, weSeal: true, keyEncryption: "RSA-OAEP-256",
		signature: "PS256", content: "A128CBC-HS256"},
	{name: "PS256 A128CBC ←", profile: "riskos", signed: true, keyEncryption: "RSA-OAEP-256", signature: "PS256",
		content: "A128CBC-HS256"},
	{name: "PS256 A256CBC →", profile: "riskos", signed: true, weSeal: true, keyEncryption: "RSA-OAEP-256",
		signature: "PS256", content: "A256CBC-HS512"},
	{name: "PS256 A256CBC ←", profile: "riskos", signed: true, keyEncryption: "RSA-OAEP-256", signature: "PS256",
		content: "A256CBC-HS512"},
	{name: "A128GCM →", profile: "rdx", weSeal: true, keyEncryption: "RSA-OAEP-256", content: "A128GCM"},
	{name: "A128GCM ←", profile: "rdx", keyEncryption: "RSA-OAEP-256", content: "A128GCM"},
}

// style lists the members that a peer writes to its headers.
type style struct {
	name         string
	outer, inner members
}

// styles are the headers that peers usually send; ourKeyID is the key that they encrypt to.
var styles = []style{
	{"bare", members{}, members{}},
	{"kid", members{Kid: ourKeyID}, members{Kid: peerKeyID}},
	{"typ and cty", members{Kid: ourKeyID, Typ: "JOSE", Cty: "JWT"}, members{Kid: peerKeyID, Typ: "JWT", Cty: "JWT"}},
	{"others", members{Kid: ourKeyID, Extra: map[string]any{"iat": 1763700000, "x5t#S256": "c2VhbGFuZQ"}},
		members{
			Kid:   peerKeyID,
			Typ:   "JWT",
			Extra: map[string]any{"https://example.com/x": map[string]any{"a": []int{1, 2}}},
		}},
}

// pair is the two ends of one lane: we and a peer.
type pair struct {
	flow
	bits int // our key's
	peer peer

	peerBits int // the peer's key's; 0: as ours
}

func (p pair) peerKey(t testing.TB) *rsa.PrivateKey {
	return testkey.RSA(t, "peer", cmp.Or(p.peerBits, p.bits))
}

func (p pair) lane(t testing.TB) *sealane.Lane {
	t.Helper()
	var replacements []string
	if p.signature != "" {
		replacements = append(replacements, alg.RS256.Name, p.signature)
	}
	if p.content != "" {
		replacements = append(replacements, alg.A256GCM.Name, p.content)
	}
	c := sealane.Config{
		Profile:       testlane.Profile(t, p.profile, replacements...),
		Side:          sealane.ServerSide,
		Ours:          testkey.Ours(t, ourKeyID, testkey.RSA(t, "ours", p.bits)),
		Theirs:        testkey.Theirs(t, peerKeyID, p.peerKey(t)),
		AcceptRSAOAEP: p.acceptRSAOAEP,
	}
	if p.weSeal {
		c.Side = sealane.ClientSide
	}
	if !p.signed {
		c.SenderAuth = sealane.SenderUnauthenticated
	}
	l, err := sealane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (p pair) job(t testing.TB, s style, input []byte) job {
	return job{
		Signed: p.signed, KeyEncryption: p.keyEncryption, Signature: p.signature, Content: p.content, Outer: s.outer,
		Inner:   s.inner,
		Private: p.peerKey(t), Public: &testkey.RSA(t, "ours", p.bits).PublicKey, Input: input,
	}
}

// limit names what a peer's library is known not to open, no matter who sealed it.
type limit struct {
	peer          string
	signed, empty bool
}

// refusal is a part of the peer's error, and the reason.
type refusal struct{ says, reason string }

var cannotOpen = map[limit]refusal{
	{"jwx", false, true}: {"failed to match any of the keys with recipient",
		"jwx v3.3.0 takes the nil plaintext of an empty ciphertext for a failure (jwe.go, decryptContent)"},
	{"jwcrypto", false, true}: {"No recipient matched the provided key['Success']",
		"jwcrypto 1.6.1 takes an empty plaintext for none, after it has decrypted with success (jwe.py, decrypt " +
			"and payload)"},
}

// stillCannot fails if the limit is gone, or is not the peer's own: the peer must also
// refuse what it sealed itself, with the same words.
func (p pair) stillCannot(t *testing.T, err error, data []byte, r refusal) {
	j := p.job(t, style{}, data)
	j.Public = &j.Private.PublicKey
	own, sealErr := p.peer.Seal(j)
	if sealErr != nil {
		t.Fatal(sealErr)
	}
	j.Input = own
	_, ownErr := p.peer.Open(j)
	for _, e := range []error{err, ownErr} {
		if e == nil || !strings.Contains(e.Error(), r.says) {
			t.Errorf("no longer so, take it off the list: %s (ours: %v, its own: %v)", r.reason, err, ownErr)
			break
		}
	}
	t.Logf("known limit of the peer: %s", r.reason)
}

// weSealPeerOpens also compares the key IDs that the peer sees with those that the vendors'
// specifications require: the partner's in RDX's JWE, ours in RiskOS's JWS. It reports
// whether the message fell under a known limit and was not opened.
func (p pair) weSealPeerOpens(t *testing.T, l *sealane.Lane, data []byte) (limited bool) {
	token, err := l.Seal(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.peer.Open(p.job(t, style{}, token))
	if r, listed := cannotOpen[limit{p.peer.Name(), p.signed, len(data) == 0}]; listed {
		p.stillCannot(t, err, data, r)
		return true
	}
	if err != nil {
		t.Fatalf("%s does not open what we sealed: %v", p.peer.Name(), err)
	}
	if !bytes.Equal(got.Payload, data) {
		t.Errorf("%s reads %s, sealed was %s", p.peer.Name(), excerpt(got.Payload), excerpt(data))
	}
	want := opened{OuterKid: peerKeyID}
	if p.signed {
		want = opened{InnerKid: ourKeyID}
	}
	if got.OuterKid != want.OuterKid || got.InnerKid != want.InnerKid {
		t.Errorf("%s sees key IDs %q and %q, want %q and %q", p.peer.Name(), got.OuterKid, got.InnerKid, want.OuterKid,
			want.InnerKid)
	}
	return false
}

func (p pair) peerSealsWeOpen(t *testing.T, l *sealane.Lane, s style, data []byte) {
	token, err := p.peer.Seal(p.job(t, s, data))
	if err != nil {
		t.Fatalf("%s does not seal: %v", p.peer.Name(), err)
	}
	m, err := l.OpenMessage(context.Background(), token)
	if p.profile == "rdx" && s.outer.Kid == "" {
		if m != nil || !errors.Is(err, sealane.ErrNotJWE) || sealane.FaultOf(err) != "jwe.kid-missing" {
			t.Errorf("RDX asks for a key ID; without one: %v, %v", m, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("we do not open what %s sealed: %v", p.peer.Name(), err)
	}
	if !bytes.Equal(m.Payload(), data) {
		t.Errorf("we read %s, sealed was %s", excerpt(m.Payload()), excerpt(data))
	}
	if _, verified := m.(*sealane.Verified); verified != p.signed {
		t.Errorf("a message that is signed: %t came as %T", p.signed, m)
	}
}

// run sends one payload through the pair and returns the number of messages, and separately
// of those under a known limit. Payloads larger than a few bytes are sent with the fullest
// headers only.
func (p pair) run(t *testing.T, l *sealane.Lane, data []byte) (messages, limited int) {
	if p.weSeal {
		if p.weSealPeerOpens(t, l, data) {
			return 0, 1
		}
		return 1, 0
	}
	use := styles
	if len(data) >= oneMiB {
		use = styles[2:3]
	}
	for _, s := range use {
		t.Run(s.name, func(t *testing.T) {
			p.peerSealsWeOpen(t, l, s, data)
			messages++
		})
	}
	return messages, 0
}

// messages returns how many messages run should count, over all payloads and with those
// under a known limit.
func (p pair) messages(payloads []payload) int {
	count := len(payloads)
	for _, pl := range payloads {
		if !p.weSeal && len(pl.data) < oneMiB {
			count += len(styles) - 1
		}
	}
	return count
}

// TestMatrix: every peer opens what we seal, and we open what every peer seals.
func TestMatrix(t *testing.T) {
	results := newTable()
	t.Run("cells", func(t *testing.T) {
		for _, bits := range []int{2048, 3072, 4096} {
			payloads := append(smallPayloads(), mebibyte(), tenMebibytes())
			for _, other := range peers() {
				for _, f := range flows {
					p := pair{flow: f, bits: bits, peer: other}
					t.Run(fmt.Sprintf("%s/%d/%s", other.Name(), bits, f.name), func(t *testing.T) {
						c := results.cell(fmt.Sprintf("%s %d", other.Name(), bits), f.name)
						t.Parallel()
						defer func() { c.end(t, p.messages(payloads)) }()
						other.Ready(t)
						c.start = time.Now()
						l := p.lane(t)
						for _, pl := range payloads {
							t.Run(pl.name, func(t *testing.T) { c.add(p.run(t, l, pl.data)) })
						}
					})
				}
			}
		}
	})
	// A peer that is not available is skipped in all of its cells.
	_, _, ok, failed, skipped := results.sum()
	if each := 3 * len(flows); ok+failed+skipped != each*len(peers()) || skipped%each != 0 || ok+failed < each*2 {
		t.Errorf("%d cells were ok, %d failed, %d were skipped; each of %d peers has %d", ok, failed, skipped,
			len(peers()), each)
	}
	t.Logf("messages per peer, RSA size and flow (→ we seal, ← we open)\n%s", results)
}

// TestMixedSizes: the keys of the two parties may have different sizes.
func TestMixedSizes(t *testing.T) {
	for _, other := range peers() {
		for _, sizes := range [][2]int{{2048, 4096}, {4096, 2048}, {3072, 2048}} {
			for _, f := range flows {
				p := pair{flow: f, bits: sizes[0], peer: other, peerBits: sizes[1]}
				t.Run(fmt.Sprintf("%s/ours %d, theirs %d/%s", other.Name(), sizes[0], sizes[1], f.name),
					func(t *testing.T) {
						other.Ready(t)
						p.run(t, p.lane(t), []byte(`{"n":1.10}`))
					})
			}
		}
	}
}

// TestRSAOAEPNeedsAReason: a token that a peer seals with RSA-OAEP opens only on a lane
// that states a reason; otherwise the error names the switch.
func TestRSAOAEPNeedsAReason(t *testing.T) {
	for _, other := range peers() {
		t.Run(other.Name(), func(t *testing.T) {
			other.Ready(t)
			p := pair{flow: flows[4], bits: 2048, peer: other}
			token, err := other.Seal(p.job(t, styles[1], []byte("{}")))
			if err != nil {
				t.Fatal(err)
			}
			p.acceptRSAOAEP = ""
			m, err := p.lane(t).OpenMessage(context.Background(), token)
			if m != nil || !errors.Is(err, sealane.ErrNotJWE) || sealane.FaultOf(err) != "jwe.alg-rsa-oaep-sha1" ||
				!strings.Contains(err.Error(), "AcceptRSAOAEP") {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
}

func excerpt(data []byte) string {
	if len(data) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", data[:60], len(data))
	}
	return fmt.Sprintf("%q", data)
}
