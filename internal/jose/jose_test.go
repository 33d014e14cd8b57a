package jose_test

import (
	"bytes"
	stdcmp "cmp"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

var (
	jweAlgs = []*alg.KeyEncryption{alg.RSAOAEP256}
	jwsAlgs = []*alg.Signature{alg.RS256}
	encs    = []*alg.Content{alg.A256GCM}
)

const maxToken = 1 << 20

func text(s string) *string { return &s }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func encrypt(t testing.TB, plaintext []byte, h jose.Header, key *rsa.PublicKey) []byte {
	t.Helper()
	h.Alg, h.Enc = alg.RSAOAEP256.Name, stdcmp.Or(h.Enc, alg.A256GCM.Name)
	head, err := jose.ProtectEncrypted(h)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Encrypt(nil, plaintext, head, alg.PublicKey{PublicKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func sign(t testing.TB, payload []byte, key crypto.Signer) []byte {
	return signWith(t, alg.RS256, payload, key)
}

func signWith(t testing.TB, s *alg.Signature, payload []byte, key crypto.Signer) []byte {
	t.Helper()
	head, err := jose.ProtectSigned(jose.Header{Alg: s.Name, Kid: text("k1")})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Sign(nil, payload, head, key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestRoundTrip combines every signature with every content encryption. A reader that
// allows the whole table uses the algorithms in the header.
func TestRoundTrip(t *testing.T) {
	for _, bits := range []int{2048, 3072, 4096} {
		key := testkey.RSA(t, "recipient", bits)
		for _, signature := range alg.Signatures {
			for _, enc := range alg.Contents {
				for _, payload := range [][]byte{{}, []byte("x"), []byte(`{"n":9007199254740993,"d":1.10}`),
					bytes.Repeat([]byte("0123456789"), 9999)} {
					roundTrip(t, key, signature, enc, payload)
				}
			}
		}
	}
}

func roundTrip(t *testing.T, key *rsa.PrivateKey, signature *alg.Signature, enc *alg.Content, payload []byte) {
	t.Helper()
	inner := signWith(t, signature, payload, key)
	token := encrypt(t, inner, jose.Header{Enc: enc.Name}, &key.PublicKey)
	before := bytes.Clone(token)
	e, err := jose.ParseEncrypted(nil, token, maxToken, jweAlgs, alg.Contents)
	if err != nil {
		t.Fatal(err)
	}
	content, which, err := e.Decrypt([]crypto.Decrypter{testkey.RSA(t, "other", 2048), key})
	if err != nil || which != 1 {
		t.Fatalf("decrypt %s with %d bits: key %d, %v", enc, key.N.BitLen(), which, err)
	}
	if !bytes.Equal(token, before) {
		t.Error("opening changed the caller's token")
	}
	s, err := jose.ParseSigned(content, alg.Signatures)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Header.KeyID(); got != "k1" {
		t.Errorf("key ID is %q", got)
	}
	got, which, err := s.Verify(publics(&testkey.RSA(t, "other", 2048).PublicKey, &key.PublicKey))
	if err != nil || which != 1 || !bytes.Equal(got, payload) {
		t.Fatalf("verify %s with %d bits: key %d, payload equal %t, %v", signature, key.N.BitLen(), which,
			bytes.Equal(got, payload), err)
	}
}

// TestHeadersWritten compares the headers with the members that RFC 7515 and 7516 name, in
// the order in which we write them.
func TestHeadersWritten(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	for _, c := range []struct {
		h    jose.Header
		want string
	}{
		{jose.Header{}, `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`},
		{jose.Header{Kid: text(`a"b\c<&>`)}, `{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"a\"b\\c<&>"}`},
		{jose.Header{Typ: text("JOSE"), Cty: text("JWT")},
			`{"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"JOSE","cty":"JWT"}`},
	} {
		head, _, _ := strings.Cut(string(encrypt(t, nil, c.h, &key.PublicKey)), ".")
		got, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSealingRefusesOtherAlgorithms(t *testing.T) {
	for _, h := range []jose.Header{{}, {Alg: alg.RSAOAEP.Name, Enc: alg.A256GCM.Name},
		{Alg: "RSA1_5", Enc: alg.A256GCM.Name}, {Alg: alg.RSAOAEP256.Name, Enc: "A192GCM"},
		{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name, Kid: text("")},
		// nobody would open it
		{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name, Typ: text(strings.Repeat("t", 4096))}} {
		if _, err := jose.ProtectEncrypted(h); err == nil {
			t.Errorf("would encrypt with %+v", h)
		}
	}
	for _, h := range []jose.Header{{}, {Alg: "none"}, {Alg: "HS256"}, {Alg: "PS384"}, {
		Alg: alg.RS256.Name,
		Kid: text(strings.Repeat("k", 129)),
	}} {
		if _, err := jose.ProtectSigned(h); err == nil {
			t.Errorf("would sign with %+v", h)
		}
	}
}

// headerCases are headers as JSON, with the alg to insert for $, and the fault of each; the
// fault is empty for valid ones.
var headerCases = []struct {
	header string
	want   fault.TokenFault
}{
	{`{$}`, ""},
	{` { $ } `, ""},
	{`{$,"kid":"any text, 'quoted' ../"}`, ""},
	{`{$,"kid":"\u006b"}`, ""},
	{`{$,"typ":"JOSE","cty":"JWT"}`, ""},
	{`{$,"x5t":"abc","iat":1.10,"unknown":{"a":[1,2,{"b":null}]}}`, ""},
	{`{$,"ALG":"none","Kid":5,"ZIP":"DEF"}`, ""},
	{`{$,"alg":"none"}`, fault.HeaderDuplicate},
	{`{$,"\u0061lg":"none"}`, fault.HeaderDuplicate},
	{`{$,"k":1,"k":1}`, fault.HeaderDuplicate},
	{`{$,"deep":{"k":1,"k":1}}`, fault.HeaderDuplicate},
	{`{$,"deep":[{"k":1},{"k":1,"\u006b":2}]}`, fault.HeaderDuplicate},
	{`{$}{}`, fault.HeaderNotJSON},
	{`{$} x`, fault.HeaderNotJSON},
	{`{$,}`, fault.HeaderNotJSON},
	{`{$`, fault.HeaderNotJSON},
	{"\ufeff{$}", fault.HeaderNotJSON},
	{`{$,'k':1}`, fault.HeaderNotJSON},
	{`{$,"n":01}`, fault.HeaderNotJSON},
	{"{$,\"n\":\"\x01\"}", fault.HeaderNotJSON},
	{``, fault.HeaderNotJSON},
	{"{$,\"n\":\"\xff\"}", fault.HeaderUTF8},
	{"{$,\"n\":\"\xc0\xaf\"}", fault.HeaderUTF8},
	{`[{$}]`, fault.HeaderNotObject},
	{`"alg"`, fault.HeaderNotObject},
	{`null`, fault.HeaderNotObject},
	{`{$,"d":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, fault.HeaderDepth},
	{`{$,"long":"` + strings.Repeat("x", 4096) + `"}`, fault.HeaderTooLarge},
	{`{$,"kid":5}`, fault.HeaderType},
	{`{$,"kid":null}`, fault.HeaderType},
	{`{$,"typ":["JOSE"]}`, fault.HeaderType},
	{`{$,"cty":{}}`, fault.HeaderType},
	{`{"alg":["RS256"]}`, fault.HeaderType},
	{`{$,"kid":""}`, fault.KidForm},
	{`{$,"kid":"a\u0000b"}`, fault.KidForm},
	{`{$,"kid":"ä"}`, fault.KidForm},
	{`{$,"kid":"\ud800"}`, fault.KidForm},
	{`{$,"kid":"` + strings.Repeat("k", 129) + `"}`, fault.KidForm},
	{`{"kid":"k"}`, fault.AlgMissing},
	{`{"ALG":"RS256"}`, fault.AlgMissing},
	{`{$,"zip":"DEF"}`, fault.HeaderZip},
	{`{$,"zip":null}`, fault.HeaderZip},
	{`{$,"crit":[]}`, fault.HeaderCrit},
	{`{$,"crit":["exp"]}`, fault.HeaderCrit},
	{`{$,"crit":"exp"}`, fault.HeaderCrit},
	{`{$,"b64":false}`, fault.HeaderB64},
	{`{$,"b64":true}`, fault.HeaderB64},
	{`{$,"jwk":{}}`, fault.HeaderJWK},
	{`{$,"jku":"https://127.0.0.1/"}`, fault.HeaderJKU},
	{`{$,"x5u":"https://127.0.0.1/"}`, fault.HeaderX5U},
	{`{$,"x5c":[]}`, fault.HeaderX5C},
}

func TestHeaders(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	jwe := string(encrypt(t, []byte("p"), jose.Header{}, &key.PublicKey))
	jws := string(sign(t, []byte("p"), key))
	for _, c := range headerCases {
		for _, layer := range []fault.Layer{fault.JWE, fault.JWS} {
			var err error
			if layer == fault.JWE {
				_, rest, _ := strings.Cut(jwe, ".")
				head := strings.ReplaceAll(c.header, "$", `"alg":"RSA-OAEP-256","enc":"A256GCM"`)
				_, err = jose.ParseEncrypted(nil, []byte(b64(head)+"."+rest), maxToken, jweAlgs, encs)
			} else {
				_, rest, _ := strings.Cut(jws, ".")
				head := strings.ReplaceAll(c.header, "$", `"alg":"RS256"`)
				_, err = jose.ParseSigned([]byte(b64(head)+"."+rest), jwsAlgs)
			}
			wantFault(t, c.header, err, c.want, layer)
		}
	}
}

func wantFault(t *testing.T, name string, err error, want fault.TokenFault, layer fault.Layer) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%.80s: %v", name, err)
		}
		return
	}
	var e *jose.Error
	if !errors.As(err, &e) {
		t.Errorf("%.80s: error is %v, want %s", name, err, want.In(layer))
		return
	}
	kind := map[fault.Layer]jose.Kind{fault.JWE: jose.NotJWE, fault.JWS: jose.NotJWS}[layer]
	if e.Fault != want.In(layer) || e.Kind != kind {
		t.Errorf("%.80s: fault %s of kind %d, want %s of kind %d", name, e.Fault, e.Kind, want.In(layer), kind)
	}
}

// registered are the names of the IANA registry "JSON Web Signature and Encryption
// Algorithms": RFC 7518, 8037, 8812, 9864 and 9964, and those of the Web Cryptography API.
// A name of one layer is tried in all.
var registered = strings.Fields(`
	HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512 PS256 PS384 PS512 none
	RSA1_5 RSA-OAEP RSA-OAEP-256 A128KW A192KW A256KW dir
	ECDH-ES ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW
	A128GCMKW A192GCMKW A256GCMKW PBES2-HS256+A128KW PBES2-HS384+A192KW PBES2-HS512+A256KW
	A128CBC-HS256 A192CBC-HS384 A256CBC-HS512 A128GCM A192GCM A256GCM
	EdDSA ES256K Ed25519 Ed448 ML-DSA-44 ML-DSA-65 ML-DSA-87
	RS1 HS1 RSA-OAEP-384 RSA-OAEP-512 A128CBC A192CBC A256CBC A128CTR A192CTR A256CTR`)

// notRegistered are names of drafts and of libraries, and near misses.
var notRegistered = []string{
	"HPKE-0", "HPKE-1", "HPKE-2", "HPKE-3", "HPKE-4", "HPKE-5", "HPKE-6", "HPKE-7",
	"HPKE-0-KE", "HPKE-1-KE", "HPKE-2-KE", "HPKE-3-KE", "HPKE-4-KE", "HPKE-5-KE", "HPKE-6-KE", "HPKE-7-KE", "int",
	"ECDH-1PU", "ECDH-1PU+A128KW", "ECDH-1PU+A256KW", "C20P", "XC20P", "C20PKW", "XC20PKW",
	"", "NONE", "None", "nOnE", "none ", "rs256", "Rs256", " RS256", "RS256 ", "RS256\x00", "RS-256", "RS256,RS256",
	"rsa-oaep-256", "RSA_OAEP_256", " RSA-OAEP-256", "RSA-OAEP-256 ", "RSA-OAEP-256\n", "RSA-OAEP-2", "rsa-oaep",
	"RSA-OAEP ",
	"a256gcm", "A256gcm", " A256GCM", "A256GCM ", "A256GCM\x00", "A256-GCM", "AES256GCM",
}

// TestAlgorithms: of all these names, alg and enc each accept only the one that the caller
// allows. The refusals of none and RSA-OAEP have their own codes.
func TestAlgorithms(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	_, jwe, _ := strings.Cut(string(encrypt(t, []byte("p"), jose.Header{}, &key.PublicKey)), ".")
	_, jws, _ := strings.Cut(string(sign(t, []byte("p"), key)), ".")
	token := func(rest string, members map[string]string) []byte {
		head, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(b64(string(head)) + "." + rest)
	}
	for _, name := range append(slices.Clone(registered), notRegistered...) {
		want := fault.AlgNotAllowed
		if name == "none" {
			want = fault.AlgNone
		}
		wantJWS, wantJWE, wantEnc := want, want, fault.TokenFault("enc-not-allowed")
		switch name {
		case alg.RS256.Name:
			wantJWS = ""
		case alg.RSAOAEP256.Name:
			wantJWE = ""
		case alg.RSAOAEP.Name:
			wantJWE = "alg-rsa-oaep-sha1"
		case alg.A256GCM.Name:
			wantEnc = ""
		}
		_, err := jose.ParseSigned(token(jws, map[string]string{"alg": name}), jwsAlgs)
		wantFault(t, "alg "+name, err, wantJWS, fault.JWS)
		_, err = jose.ParseEncrypted(nil, token(jwe, map[string]string{"alg": name, "enc": alg.A256GCM.Name}),
			maxToken, jweAlgs, encs)
		wantFault(t, "alg "+name, err, wantJWE, fault.JWE)
		_, err = jose.ParseEncrypted(nil, token(jwe, map[string]string{"alg": alg.RSAOAEP256.Name, "enc": name}),
			maxToken, jweAlgs, encs)
		wantFault(t, "enc "+name, err, wantEnc, fault.JWE)
	}
	_, err := jose.ParseEncrypted(nil, token(jwe, map[string]string{"alg": alg.RSAOAEP256.Name}), maxToken, jweAlgs,
		encs)
	wantFault(t, "no enc", err, "enc-missing", fault.JWE)
}

func TestShapes(t *testing.T) {
	key := testkey.RSA(t, "recipient", 2048)
	jwe := string(encrypt(t, []byte("p"), jose.Header{}, &key.PublicKey))
	jws := string(sign(t, []byte("p"), key))
	p := strings.Split(jwe, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	for _, c := range []struct {
		name, token string
		want        fault.TokenFault
	}{
		{"empty", "", fault.Empty},
		{"one part", "abc", fault.Parts},
		{"two parts", "abc.def", fault.Parts},
		{"a JWS", jws, fault.Swapped},
		{"four parts", join(p[:4]...), fault.Parts},
		{"six parts", jwe + ".", fault.Parts},
		{"only dots", strings.Repeat(".", 1000), fault.Parts},
		{"flattened", `{"protected":"` + p[0] + `"}`, fault.JSONSerialization},
		{"general, with blanks", ` [`, fault.Parts},
		{"blank in front", " " + jwe, fault.Base64Space},
		{"line break behind", jwe + "\n", fault.Base64Space},
		{"empty header", join("", p[1], p[2], p[3], p[4]), fault.HeaderNotJSON},
		{"padding", join(p[0]+"=", p[1], p[2], p[3], p[4]), fault.Base64Padding},
		{"percent", join("%65yJ", p[1], p[2], p[3], p[4]), fault.Base64Character},
		{"no key", join(p[0], "", p[2], p[3], p[4]), "encrypted-key-length"},
		{"short key", join(p[0], p[1][:len(p[1])-2], p[2], p[3], p[4]), "encrypted-key-length"},
		{"no IV", join(p[0], p[1], "", p[3], p[4]), "iv-length"},
		{"no tag", join(p[0], p[1], p[2], p[3], ""), "tag-length"},
		{"too large", jwe + strings.Repeat("A", maxToken), fault.TooLarge},
	} {
		_, err := jose.ParseEncrypted(nil, []byte(c.token), maxToken, jweAlgs, encs)
		wantFault(t, c.name, err, c.want, fault.JWE)
	}
	s := strings.Split(jws, ".")
	for _, c := range []struct {
		name, token string
		want        fault.TokenFault
	}{
		{"empty", "", fault.Empty},
		{"two parts", join(s[:2]...), fault.Parts},
		{"four parts", jws + ".", fault.Parts},
		{"a JWE", jwe, fault.Swapped},
		{"JSON", ` {"id":1}`, "not-signed"},
		{"flattened", `{"payload":"e30","signature":"AA"}`, fault.JSONSerialization},
		{"no signature", join(s[0], s[1], ""), "signature-length"},
		{"signature of 255 bytes", join(s[0], s[1], s[2][:340]), "signature-length"},
	} {
		_, err := jose.ParseSigned([]byte(c.token), jwsAlgs)
		wantFault(t, c.name, err, c.want, fault.JWS)
	}
}
