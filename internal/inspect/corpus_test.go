package inspect_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

const (
	anyKid  = "kid: {seal: key-id, open: [absent, any]}"
	anyKid2 = "kid: {open: [absent, any]}"
)

// scene is a profile with the rule that a fault breaks.
type scene struct {
	name    string
	profile *profile.Profile
	accept  bool
	byLane  bool // the codec lets it pass, the lane refuses
}

// scenes returns the scenes in which a variant is a fault.
func scenes(t *testing.T, v malform.Variant, s suite) []scene {
	riskos, rdx := s.load(t, "riskos"), s.load(t, "rdx")
	switch v.Code {
	case fault.KidMissing.In(fault.JWE), fault.KidUnknown.In(fault.JWE):
		return []scene{{"rdx", rdx, false, true}}
	case fault.KidNotAllowed.In(fault.JWE):
		return []scene{{"riskos without kid", s.load(t, "riskos", anyKid2, "kid: {open: [absent]}"), false, true}}
	case fault.KidMissing.In(fault.JWS), fault.KidUnknown.In(fault.JWS):
		return []scene{{"riskos with known signers", s.load(t, "riskos", anyKid, "kid: {seal: key-id, open: [known]}"),
			false, true}}
	case fault.KidNotAllowed.In(fault.JWS):
		return []scene{{"riskos without inner kid", s.load(t, "riskos", anyKid, "kid: {open: [absent]}"), false, true}}
	case fault.TypNotAllowed.In(fault.JWE), fault.CtyNotAllowed.In(fault.JWE),
		fault.TypNotAllowed.In(fault.JWS), fault.CtyNotAllowed.In(fault.JWS):
		return []scene{{"riskos", riskos, false, true}}
	case fault.OpenOAEPSHA256:
		return []scene{
			{"rdx that accepts RSA-OAEP", rdx, true, false},
			{"rdx", rdx, false, false},
			{"riskos", riskos, false, false},
		}
	case fault.OpenCompressed: // without a signature nobody would notice
		return []scene{{"riskos", riskos, false, false}}
	}
	if v.Nested {
		return []scene{{"riskos", riskos, false, false}}
	}
	return []scene{{"riskos", riskos, false, false}, {"rdx", rdx, false, false}}
}

const limit = 100_000

// seen returns the code by which inspect names a variant with the keys: if the keys show
// more than a lane may report, it is a finer one than the lane's.
func seen(v malform.Variant) fault.Code {
	switch v.Name {
	case "behind-the-ciphertext":
		return fault.OpenTagInCiphertext
	case "payload-changed-afterwards":
		return fault.SignatureContent
	}
	return v.Code
}

func malformIn(t *testing.T, v malform.Variant, s scene) []byte {
	t.Helper()
	m := material(s.profile)
	m.Limit = limit
	if v.Code == fault.OpenKeyOther {
		m.RecipientID = alias
	}
	token, err := v.Make(m)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// variants lists the faults of a suite's messages.
func variants(t *testing.T, s suite) []malform.Variant {
	return malform.VariantsOf(material(s.load(t, "riskos")))
}

func TestEveryForgedFaultIsNamed(t *testing.T) {
	for _, s := range suites {
		t.Run(s.String(), func(t *testing.T) { everyForgedFaultIsNamed(t, s) })
	}
}

func everyForgedFaultIsNamed(t *testing.T, algorithms suite) {
	hits, total := 0, 0
	var table strings.Builder
	for _, v := range variants(t, algorithms) {
		for _, s := range scenes(t, v, algorithms) {
			o := options(s.profile)
			o.AcceptRSAOAEP = s.accept
			if v.Code == fault.TooLarge.In(fault.JWE) {
				o.MaxToken = limit
			}
			token := malformIn(t, v, s)
			r := inspect.Examine(token, o)
			total++
			mark := "hit "
			if r.Fault == seen(v) {
				hits++
			} else {
				mark = "MISS"
				t.Errorf("%s (%s) for %s is named %q\n%s", v.Code, v.Name, s.name, r.Fault, text(t, r))
			}
			table.WriteString(mark + "  " + string(v.Code) + "  " + v.Name + "  " + s.name + "\n")
			if !r.Fault.Known() || r.Summary == "" || r.Next == "" {
				t.Errorf("%s (%s): code %q, summary %q, next %q", v.Code, v.Name, r.Fault, r.Summary, r.Next)
			}
			asJSON, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if says := r.Summary + r.Next; algorithms.isNot(says) && r.Fault != fault.OpenCEKLength &&
				r.Fault != fault.SignatureHash {
				t.Errorf("%s (%s): says %q where the algorithms are %s", v.Code, v.Name, says, algorithms)
			}
			if leaks(text(t, r)) || leaks(string(asJSON)) {
				t.Errorf("%s (%s): the report holds the payload", v.Code, v.Name)
			}
		}
	}
	t.Logf("%d of %d named exactly\n%s", hits, total, table.String())
}

// Without keys a fault that needs none keeps its name, and there is no other.
func TestFaultsSeenWithoutKeys(t *testing.T) {
	for _, s := range suites {
		t.Run(s.String(), func(t *testing.T) { faultsSeenWithoutKeys(t, s) })
	}
}

func faultsSeenWithoutKeys(t *testing.T, algorithms suite) {
	for _, v := range variants(t, algorithms) {
		for _, s := range scenes(t, v, algorithms) {
			o := inspect.Options{Profiles: []*profile.Profile{s.profile}, AcceptRSAOAEP: s.accept}
			if v.Code == fault.TooLarge.In(fault.JWE) {
				o.MaxToken = limit
			}
			r := inspect.Examine(malformIn(t, v, s), o)
			want := v.Code
			switch {
			case v.Code == fault.OpenIV16:
				want = fault.IVLength
			case v.Code == fault.OpenTagShort:
				want = fault.TagLength
			case v.Code == fault.OpenOAEPSHA256 && !s.accept:
				want = fault.AlgSHA1
			case v.Code.Layer() != fault.JWE, v.Code == fault.KidUnknown.In(fault.JWE):
				want = ""
			}
			if r.Fault != want {
				t.Errorf("%s (%s) for %s without keys: %q, want %q", v.Code, v.Name, s.name, r.Fault, want)
			}
		}
	}
}

// kindOf returns what the partner learns about a code.
func kindOf(c fault.Code) jose.Kind {
	switch c {
	case fault.OpenIV16, fault.OpenTagShort:
		return jose.NotJWE
	case fault.OpenCompressed:
		return jose.NotJWS
	}
	return map[fault.Layer]jose.Kind{
		fault.JWE:  jose.NotJWE,
		fault.Open: jose.Decryption,
		fault.JWS:  jose.NotJWS,
		fault.Sign: jose.Signature,
	}[c.Layer()]
}

func TestStrictCodecRefusesEveryForgedFault(t *testing.T) {
	for _, s := range suites {
		t.Run(s.String(), func(t *testing.T) { strictCodecRefusesEveryForgedFault(t, s) })
	}
}

func strictCodecRefusesEveryForgedFault(t *testing.T, algorithms suite) {
	k := keyset()
	for _, v := range variants(t, algorithms) {
		for _, s := range scenes(t, v, algorithms) {
			token := malformIn(t, v, s)
			if s.byLane {
				refusedByLane(t, v, s, token)
				continue
			}
			algs := []*alg.KeyEncryption{alg.RSAOAEP256}
			if v.Code == fault.OpenOAEPSHA256 {
				algs = append(algs, alg.RSAOAEP)
			}
			maxToken := 8 << 20
			if v.Code == fault.TooLarge.In(fault.JWE) {
				maxToken = limit
			}
			payload, err := strictly(token, maxToken, algs, s.profile, k.recipient, &k.signer.PublicKey)
			var refusal *jose.Error
			if !errors.As(err, &refusal) || payload != nil {
				t.Errorf("%s (%s) for %s: payload of %d bytes, error %v", v.Code, v.Name, s.name, len(payload), err)
				continue
			}
			if refusal.Kind != kindOf(v.Code) {
				t.Errorf("%s (%s) for %s: kind %d, want %d: %v", v.Code, v.Name, s.name, refusal.Kind, kindOf(v.Code),
					err)
			}
		}
	}
}

func strictly(token []byte, maxToken int, algs []*alg.KeyEncryption, p *profile.Profile, ours *rsa.PrivateKey,
	theirs *rsa.PublicKey) ([]byte, error) {
	m := material(p)
	e, err := jose.ParseEncrypted(nil, token, maxToken, algs, []*alg.Content{m.Content})
	if err != nil {
		return nil, err
	}
	content, _, err := e.Decrypt([]crypto.Decrypter{ours})
	if err != nil || !m.Nested {
		return content, err
	}
	s, err := jose.ParseSigned(content, []*alg.Signature{m.Signature})
	if err != nil {
		return nil, err
	}
	payload, _, err := s.Verify([]alg.PublicKey{{PublicKey: theirs}})
	return payload, err
}

func refusedByLane(t *testing.T, v malform.Variant, s scene, token []byte) {
	t.Helper()
	message, err := lane(t, s.profile).OpenMessage(context.Background(), token)
	if message != nil || sealane.FaultOf(err) != v.Code {
		t.Errorf("%s (%s) for %s: the lane says %q: %v", v.Code, v.Name, s.name, sealane.FaultOf(err), err)
	}
}

// lane returns the lane that opens messages to the recipient and, if signed, by the signer.
func lane(t testing.TB, p *profile.Profile) *sealane.Lane {
	t.Helper()
	k := keyset()
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: alias, Private: k.recipient})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := keyring.New(keyring.Key{State: keyring.Active, ID: "signer-1", Public: &k.signer.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	c := sealane.Config{Profile: p, Side: sealane.ServerSide, Ours: ours, Theirs: theirs}
	if p.Request.Sign == nil {
		c.SenderAuth = sealane.SenderUnauthenticated
	}
	l, err := sealane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMessagesWithoutFault(t *testing.T) {
	for _, s := range suites {
		for _, name := range []string{"riskos", "rdx"} {
			messageWithoutFault(t, name, s.load(t, name), []*profile.Profile{s.load(t, "rdx"), s.load(t, "riskos")})
		}
	}
}

func messageWithoutFault(t *testing.T, name string, p *profile.Profile, among []*profile.Profile) {
	t.Helper()
	k := keyset()
	token, err := malform.Make("", material(p))
	if err != nil {
		t.Fatal(err)
	}
	r := inspect.Examine(token, options(p))
	if r.Fault != "" || r.Opening == nil || r.Opening.Key == "" || len(r.Profiles) != 1 || !r.Profiles[0].Fits ||
		r.Payload == nil || r.Payload.Bytes != len(payload) {
		t.Errorf("%s: fault %q\n%s", name, r.Fault, text(t, r))
	}
	if signed := p.Request.Sign != nil; signed != r.Payload.Verified {
		t.Errorf("%s: payload verified is %v", name, r.Payload.Verified)
	}
	if _, err := strictly(token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256}, p, k.recipient,
		&k.signer.PublicKey); err != nil {
		t.Errorf("%s: the strict codec says %v", name, err)
	}
	for _, all := range [][]*profile.Profile{nil, among} {
		o := options(nil)
		o.Profiles = all
		if r := inspect.Examine(token, o); r.Fault != "" {
			t.Errorf("%s among %d profiles: fault %q\n%s", name, len(all), r.Fault, text(t, r))
		}
	}
}

// malform makes all codes of the catalog for tokens, except these.
func TestMalformCoversTheCatalog(t *testing.T) {
	without := []fault.Code{
		fault.TooLarge.In(fault.JWS), // bounded by the outer token
		// Codes of inspect alone, finer than those of a lane.
		fault.Cut.In(fault.JWE), fault.Cut.In(fault.JWS), fault.PartsOrder, fault.OpenTagInCiphertext,
		fault.InnerEncodedTwice, fault.InnerQuoted, fault.SignatureContent, fault.SignatureDetached,
	}
	made := malform.Codes()
	for _, s := range suites {
		for _, v := range variants(t, s) {
			made = append(made, v.Code)
		}
	}
	for _, c := range fault.All() {
		if slices.Contains([]string{"jwe", "open", "jws", "sign"}, layerOf(c)) && !slices.Contains(without, c) &&
			!slices.Contains(made, c) {
			t.Errorf("malform makes no %s", c)
		}
	}
}
