package gateway_test

import (
	"fmt"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// TestHostileCorpusLocal: no message of the corpus opens, and each has the status of its outcome.
func TestHostileCorpusLocal(t *testing.T) {
	corpus, err := hostile.Read("../../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BATCH", batchToken)
	signer, err := corpus.Key("signer")
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := keyfile.EncodeJWK(&signer.PublicKey, keyfile.JWKParams{KeyID: hostile.TheirKeyID})
	if err != nil {
		t.Fatal(err)
	}
	gateways, tried := map[string]*running{}, 0
	for _, c := range corpus.Cases {
		if c.Kind() == "http" {
			continue
		}
		key := fmt.Sprint(c.Profile, c.AcceptRSAOAEP, c.MaxPayload)
		if gateways[key] == nil {
			gateways[key] = startLocalCorpus(t, corpus, string(jwk), c)
		}
		g, form := gateways[key], ""
		if c.Kind() == "body" {
			form = "?form=body"
		}
		tried++
		a := as(t, g, batchToken, "/open/them/DEV"+form, string(c.Content))
		want := map[profile.Outcome]int{sealane.ErrTooLarge: 413}[c.Outcome]
		if want == 0 {
			want = 422
		}
		if a.status != want {
			t.Errorf("%s: %d %s, want %d", c.Path, a.status, a.body, want)
		}
		p := a.problem(t)
		if secret := c.Outcome == sealane.ErrDecryption; secret != (p.Fault == "") {
			t.Errorf("%s: the answer has fault %q", c.Path, p.Fault)
		}
	}
	if tried < 200 {
		t.Errorf("%d messages", tried)
	}
}

// startLocalCorpus runs a local API that opens what the corpus' recipient can open.
func startLocalCorpus(t *testing.T, corpus *hostile.Corpus, signer string, c hostile.Case) *running {
	t.Helper()
	name, err := corpus.ProfileArg(t.TempDir(), c.Profile)
	if err != nil {
		t.Fatal(err)
	}
	lane := "profile: " + name + "\nside: server\npartner: them\nours: {file: recipient.key, key_id: " +
		hostile.OurKeyID + "}\naccept_certificate: the corpus\n"
	if c.Profile == "rdx" {
		lane += "caller: mutual-tls\n"
	} else {
		lane += "theirs: signer.jwk\n"
	}
	if c.AcceptRSAOAEP {
		lane += "accept_rsa_oaep: the corpus says so\n"
	}
	if c.MaxPayload > 0 {
		lane += fmt.Sprintf("max_payload: %d\n", c.MaxPayload)
	}
	recipient := read(t, corpus.KeyFile("recipient"))
	return start(t, "routes:\n- name: local\n  local: any\n  listen: 127.0.0.1:0\n  clients: {token: \"env:BATCH\"}\n"+
		"  keys: lane\n", withLane(lane), withFiles("lane/recipient.key", recipient, "lane/signer.jwk", signer))
}
