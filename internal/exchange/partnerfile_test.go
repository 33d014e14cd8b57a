package exchange_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/testkey"
)

// partnerFile is what another company would export, changed by change before it is
// signed.
func partnerFile(t *testing.T, key *rsa.PrivateKey, change func(*exchange.PartnerFile)) []byte {
	t.Helper()
	f := exchange.PartnerFile{Format: "sealane-partner-1", Name: "Acme", Profile: "rdx", Side: sealane.ServerSide,
		Environment: "STAG", Certificates: [][]byte{made(t, key)}}
	change(&f)
	payload, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return testkey.Sign(t, payload, key)
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

// A signature by a weak key says nothing: whoever can compute the key could have made
// it.
func TestPartnerFileByAWeakKey(t *testing.T) {
	for name, c := range map[string]struct {
		key  *rsa.PrivateKey
		want error
	}{
		"size":     {testkey.RSA(t, "exchange odd", 2304), cert.ErrKeySize},
		"exponent": {smallExponent(t, fresh(t, "one")), cert.ErrKeyExponent},
	} {
		file := partnerFile(t, c.key, func(*exchange.PartnerFile) {})
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
