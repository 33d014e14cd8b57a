package sealane_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// ends returns both ends of a RiskOS lane, an RDX lane, and one with PS256 and AES-CBC.
// Their keys are the same in every process, which a fuzz target needs.
func ends(t testing.TB) (lanes, partners []*sealane.Lane) {
	ours, theirs := testkey.Fixed(), testkey.OtherFixed()
	riskos, rdx, other := testlane.Profile(t, "riskos"), testlane.Profile(t, "rdx"), ledgerProfile(t)
	return []*sealane.Lane{
			testlane.New(t, sealane.Config{
				Profile: riskos,
				Side:    sealane.ServerSide,
				Ours:    testkey.Ours(t, "o1", ours),
				Theirs:  testkey.Theirs(t, "t1", theirs),
			}),
			testlane.New(t,
				sealane.Config{Profile: rdx, Side: sealane.ServerSide, Environment: "STAG",
					Ours:       testkey.Ours(t, alias, ours),
					SenderAuth: sealane.SenderMutualTLS, AcceptRSAOAEP: "the partner's library is old"}),
			testlane.New(t, sealane.Config{
				Profile: other,
				Side:    sealane.ServerSide,
				Ours:    testkey.Ours(t, "o1", ours),
				Theirs:  testkey.Theirs(t, "t1", theirs),
			}),
		}, []*sealane.Lane{
			testlane.New(t, sealane.Config{
				Profile: riskos,
				Side:    sealane.ClientSide,
				Ours:    testkey.Ours(t, "t1", theirs),
				Theirs:  testkey.Theirs(t, "o1", ours),
			}),
			testlane.New(t, sealane.Config{
				Profile:     rdx,
				Side:        sealane.ClientSide,
				Environment: "STAG",
				Theirs:      testkey.Theirs(t, alias, ours),
			}),
			testlane.New(t, sealane.Config{
				Profile: other,
				Side:    sealane.ClientSide,
				Ours:    testkey.Ours(t, "t1", theirs),
				Theirs:  testkey.Theirs(t, "o1", ours),
			}),
		}
}

const onlyOurs = "payload that nobody else writes"

// FuzzOpen opens arbitrary tokens. With any error there is no message, and the error has an
// outcome; the token is not changed; the result does not depend on the buffer, in which a
// refused message leaves nothing; and only tokens that were sealed open, because the fuzzer
// has no keys. Its initial inputs are all faults that malform can make, and a message
// without one.
func FuzzOpen(f *testing.F) {
	lanes, partners := ends(f)
	payload := []byte(`{"id":"` + onlyOurs + `"}`)
	for i, l := range lanes {
		right := seal(f, partners[i], string(payload))
		for at := range 8 {
			f.Add(byte(i), right, uint16(at*len(right)/8), byte(at))
		}
		m := malform.Material{Payload: payload, Signer: testkey.OtherFixed(), Recipient: &testkey.Fixed().PublicKey,
			SignerID: "t1", RecipientID: alias, Other: testkey.OtherFixed(),
			Nested: l.Inbound().Signed()}
		if m.Nested {
			// the other lane would open what is encrypted to its alias, no matter who encrypted it
			m.RecipientID = "o1"
		}
		if i == 2 {
			m.Signature, m.Content = alg.PS256, alg.A128CBCHS256
		}
		made := map[fault.Code]bool{}
		for _, v := range malform.VariantsOf(m) {
			if made[v.Code] || strings.HasSuffix(string(v.Code), "too-large") ||
				!m.Nested && v.Code == fault.OpenCompressed { // a payload like any other, to an opener
				continue
			}
			made[v.Code] = true
			token, err := v.Make(m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), token, uint16(0), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, lane byte, token []byte, at uint16, flip byte) {
		l := lanes[int(lane)%len(lanes)]
		token = bytes.Clone(token)
		if len(token) > 0 {
			token[int(at)%len(token)] ^= flip
		}
		if m := opened(t, l, token); m != nil && !bytes.Equal(m.Payload(), payload) {
			t.Errorf("%s: opened %q", l.Name(), m.Payload())
		}
	})
}

// opened returns the message of a token, or nil if it is refused for a known fault.
func opened(t *testing.T, l *sealane.Lane, token []byte) sealane.Message {
	t.Helper()
	before := bytes.Clone(token)
	m, err := l.OpenMessage(t.Context(), token)
	if !bytes.Equal(before, token) {
		t.Fatal("the token was changed")
	}
	if (err == nil) != (m != nil) {
		t.Fatalf("%s: %T, %v", l.Name(), m, err)
	}
	if err != nil {
		var e *sealane.Error
		if !errors.As(err, &e) || !e.Fault.Known() || sealane.OutcomeOf(err) != e.Outcome || len(err.Error()) > 1000 {
			t.Errorf("%s: %.2000v", l.Name(), err)
		}
		return nil
	}
	_, verified := m.(*sealane.Verified)
	if verified != l.Inbound().Signed() || !m.OpenedBy().Public.Equal(&testkey.Fixed().PublicKey) {
		t.Errorf("%s: %T with %q", l.Name(), m, m.Payload())
	}
	return m
}

// FuzzSealOpen: the other end opens what one end seals, in any buffer, byte for byte, and
// nobody else does.
func FuzzSealOpen(f *testing.F) {
	lanes, partners := ends(f)
	stranger := testlane.New(f, sealane.Config{Profile: lanes[0].Profile(), Side: sealane.ServerSide,
		Ours:   testkey.Ours(f, "o1", testkey.Fixed()),
		Theirs: testkey.Theirs(f, "t1", testkey.RSA(f, "stranger", 2048))})
	for where := range byte(9) {
		f.Add(where, []byte(`{"id":"1"}`), uint16(0), uint16(0))
		f.Add(where, []byte{}, uint16(1), uint16(4000))
		f.Add(where, bytes.Repeat([]byte{0, 0xff, '.'}, 9000), uint16(77), uint16(60_000))
	}
	f.Fuzz(func(t *testing.T, where byte, payload []byte, front, spare uint16) {
		l, partner := lanes[where%3], partners[where%3]
		// In the last case the payload stands in the buffer in which it is sealed.
		buffer := append(make([]byte, int(front), int(front)+len(payload)+int(spare)), payload...)
		dst := [][]byte{nil, make([]byte, front, int(front)+partner.SealedLen(len(payload))),
			buffer[:front]}[where/3%3]
		token, err := partner.AppendSeal(t.Context(), dst, buffer[front:])
		if err != nil || !bytes.Equal(buffer[front:], payload) ||
			!bytes.Equal(token[:len(dst)], make([]byte, len(dst))) {
			t.Fatalf("%s: %v; or the payload or what stood in front was changed", l.Name(), err)
		}
		token = token[len(dst):]
		m, err := l.OpenMessage(t.Context(), token)
		if err != nil || !bytes.Equal(m.Payload(), payload) {
			t.Fatalf("%s: %v", l.Name(), err)
		}
		if l != lanes[0] {
			return
		}
		if m, err := partner.Open(t.Context(), token); !errors.Is(err, sealane.ErrDecryption) || m != nil {
			t.Errorf("by who sealed it: %v", err)
		}
		if m, err := stranger.Open(t.Context(), token); !errors.Is(err, sealane.ErrSignature) || m != nil {
			t.Errorf("under a stranger's key: %v", err)
		}
	})
}
