package exchange_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// partnerFile is what another company would export, changed by change. Its key is for encryption
// only, so it is not signed.
func partnerFile(t *testing.T, key *rsa.PrivateKey, change func(*exchange.PartnerFile)) []byte {
	t.Helper()
	f := exchange.PartnerFile{Format: "sealane-partner-1", Name: "Acme", Profile: "rdx", Side: sealane.ServerSide,
		Environment: "STAG", Certificates: [][]byte{made(t, key)}, Unsigned: "the key is for encryption only"}
	change(&f)
	payload, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// signedFile is a partner file, signed by a key that may sign, with a typ.
func signedFile(t *testing.T, key *rsa.PrivateKey, typ *string, change func(*exchange.PartnerFile)) []byte {
	t.Helper()
	payload := partnerFile(t, key, func(f *exchange.PartnerFile) {
		f.Profile, f.Environment, f.Certificates, f.Unsigned = "riskos", "PROD", [][]byte{made(t, key, signsToo)}, ""
		change(f)
	})
	head, err := jose.ProtectSigned(jose.Header{Alg: alg.RS256.Name, Typ: typ})
	if err != nil {
		t.Fatal(err)
	}
	file, err := jose.Sign(nil, payload, head, key)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var partnerType = "sealane-partner+jws"

// What a partner exports by the key that signs its messages is no message: no lane opens it. A
// message is no partner file.
func TestPartnerFileIsNoMessage(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	h.letIn("acme", "PROD", made(t, fresh(t, "one"), signsToo), "")
	ours, _ := h.pair("riskos", "acme", "PROD")
	h.installed(ours.ID, "acme")
	key := fresh(t, "one")
	sealed := func(typ *string) error {
		token := signedFile(t, key, typ, func(*exchange.PartnerFile) {})
		chain, err := h.certificate(ours.Certificate).Parse()
		h.must(err)
		_, err = h.lane("acme", "PROD").Open(ctx, testkey.Encrypt(t, token, chain[0].PublicKey.(*rsa.PublicKey)))
		return err
	}
	h.must(sealed(nil)) // it would be one
	if err := sealed(&partnerType); sealane.FaultOf(err) != "jws.typ-not-allowed" {
		t.Errorf("opened as a message: %v", err)
	}
	for _, typ := range []*string{nil, new("JOSE"), new("JWT"), new("Sealane-Partner+JWS")} {
		_, _, err := exchange.ReadPartnerFile(signedFile(t, key, typ, func(*exchange.PartnerFile) {}))
		wantRefused(t, "typ", "its typ is not sealane-partner+jws", err)
	}
	exported, err := h.anna.Export(ctx, exchange.PartnerFileOptions{Target: pairWith(ours.ID, "acme"), Name: "Us"})
	h.must(err)
	f, _, err := exchange.ReadPartnerFile(exported)
	if err != nil || f.Unsigned != "" {
		t.Errorf("ours: %v %q", err, f.Unsigned)
	}
}

// A key that is for encryption only signs no partner file. A file says whether it is signed, and
// receive says which.
func TestPartnerFileOfAnEncryptionKey(t *testing.T) {
	theirs, us := newCompany(t, "sqlite:"+t.TempDir()+"/a.db"), newCompany(t, "sqlite:"+t.TempDir()+"/b.db")
	theirs.partner("vcas", "rdx", sealane.ServerSide, "STAG")
	us.partner("bank", "rdx", sealane.ClientSide, "STAG")
	k, _ := theirs.pair("rdx", "vcas", "STAG")
	file, err := theirs.anna.Export(t.Context(), exchange.PartnerFileOptions{
		Target: pairWith(k.ID, "vcas"),
		Name:   "Bank",
	})
	theirs.must(err)
	if !bytes.HasPrefix(file, []byte("{")) {
		t.Errorf("signed by a key for encryption: %.80s", file)
	}
	_, found, err := us.anna.Receive(t.Context(), exchange.Incoming{Partner: "bank", Environment: "STAG", Data: file})
	if err != nil || !strings.Contains(fmt.Sprint(found), "it is not signed (the key is for encryption only)") {
		t.Errorf("%v %v", err, found)
	}
	both := fresh(t, "one")
	_, _, err = exchange.ReadPartnerFile(signedFile(t, both, &partnerType, func(f *exchange.PartnerFile) {
		f.Certificates = [][]byte{made(t, both)}
	}))
	wantRefused(t, "signed", "signed by a key that is for encryption only", err)
	for _, why := range []string{"", "the key is for encryption only"} {
		_, _, err = exchange.ReadPartnerFile(partnerFile(t, both, func(f *exchange.PartnerFile) {
			f.Certificates, f.Unsigned = [][]byte{made(t, both, signsToo)}, why
		}))
		wantRefused(t, "unsigned because "+why, "is not signed, and its key may sign", err)
	}
	_, _, err = exchange.ReadPartnerFile(signedFile(t, both, &partnerType, func(f *exchange.PartnerFile) {
		f.Unsigned = "says so"
	}))
	wantRefused(t, "signed, and says that it is not", "ask for it again", err)
	_, _, err = exchange.ReadPartnerFile(append(partnerFile(t, both, func(*exchange.PartnerFile) {}), "{}"...))
	wantRefused(t, "two files", "no partner file that this version", err)
}

// A partner file is for one dialect, one environment and one side, however well it is
// signed.
func TestPartnerFileForAnother(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	receive := func(data []byte) error {
		_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: data})
		return err
	}
	for _, c := range []struct {
		name, says string
		change     func(*exchange.PartnerFile)
	}{
		{"environment", "the partner file is for profile rdx in PROD",
			func(f *exchange.PartnerFile) { f.Environment = "PROD" }},
		{"profile", "the partner file is for profile riskos in STAG",
			func(f *exchange.PartnerFile) { f.Profile = "riskos" }},
		{"side", "its sender being the client", func(f *exchange.PartnerFile) { f.Side = sealane.ClientSide }},
		{"format", "no partner file that this version",
			func(f *exchange.PartnerFile) { f.Format = "sealane-partner-2" }},
		{"no certificate", "no partner file that this version",
			func(f *exchange.PartnerFile) { f.Certificates = nil }},
	} {
		before := h.head().Seq
		wantRefused(t, c.name, c.says, receive(partnerFile(t, fresh(t, "one"), c.change)))
		if h.head().Seq != before {
			t.Errorf("%s: something was kept", c.name)
		}
	}
	h.must(receive(partnerFile(t, fresh(t, "one"), func(*exchange.PartnerFile) {})))
}

// A partner file does not choose its key ID where we assign them, and where it does, that is said.
func TestPartnerFileNamesItsKeyID(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	h.partner("beta", "riskos", sealane.ClientSide, "PROD")
	name := func(f *exchange.PartnerFile) { f.KeyID = "MY-OWN-CHOICE" }
	for partner, data := range map[string][]byte{
		"acme": partnerFile(t, fresh(t, "one"), name),
		"beta": signedFile(t, fresh(t, "r1"), &partnerType, func(f *exchange.PartnerFile) { f.KeyID = "chosen" }),
	} {
		in := exchange.Incoming{Partner: partner, Environment: "STAG", Data: data}
		want, says := "", `it names the key ID "MY-OWN-CHOICE", which is not taken over: assign one`
		if partner == "beta" {
			in.Environment, want, says = "PROD", "chosen", `it names the key ID "chosen"`
		}
		c, found, err := h.anna.Receive(t.Context(), in)
		if err != nil || c.KeyID != want || !strings.Contains(fmt.Sprint(found), says) {
			t.Errorf("%s: %v, key ID %q, %v", partner, err, c.KeyID, found)
		}
	}
}

// A signature by a weak key proves nothing: anyone who can compute the key could have made it.
func TestPartnerFileByAWeakKey(t *testing.T) {
	for name, c := range map[string]struct {
		key  *rsa.PrivateKey
		want error
	}{
		"size":     {testkey.RSA(t, "exchange odd", 2304), cert.ErrKeySize},
		"exponent": {smallExponent(t, fresh(t, "one")), cert.ErrKeyExponent},
	} {
		file := signedFile(t, c.key, &partnerType, func(*exchange.PartnerFile) {})
		if _, _, err := exchange.ReadPartnerFile(file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := exchange.ReadPartnerFile(partnerFile(t, fresh(t, "one"),
		func(*exchange.PartnerFile) {})); err != nil {
		t.Errorf("a good key: %v", err)
	}
}

// smallExponent is a key of the same primes with an exponent below 65537.
func smallExponent(t *testing.T, of *rsa.PrivateKey) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(of.Primes[0], one), new(big.Int).Sub(of.Primes[1], one))
	for _, e := range []int{17, 257, 3, 5, 7, 11, 13, 19, 23, 29} {
		if d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi); d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: of.N, E: e}, D: d}
		}
	}
	t.Fatal("no small exponent fits these primes")
	return nil
}
