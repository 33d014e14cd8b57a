package gateway_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// A message that decrypts and does not verify is a use of the key pair that has decrypted it, and of no
// certificate: in a request, in the answer to one of ours, and in the local API. One that does not decrypt
// counts nothing.
func TestUsesOfMessagesThatDoNotVerify(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	d := localDatabase(t)
	stranger, forger := sealanetest.CustomerConfig(), sealanetest.ProviderConfig()
	stranger.Ours = testkey.Ours(t, "c-1", testkey.RSA(t, "a stranger", 2048))
	forger.Ours = stranger.Ours
	sealed := func(c sealane.Config) string {
		token, err := testlane.New(t, c).Seal(t.Context(), []byte(evaluation))
		if err != nil {
			t.Fatal(err)
		}
		return string(token)
	}
	request, answer := sealed(stranger), sealed(forger)
	var app seen
	d.words = ", node: n"
	g := start(t, d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key")+strings.Join([]string{
		"- name: out", "  egress: riskos", "  listen: 127.0.0.1:0", "  partner: risk", "  environment: SANDBOX",
		"  upstream: " + serve(t, app.answer(200, `{"eval_id":"e-1","encrypted_response":"`+answer+`"}`)),
		"- name: local", "  local: any", "  listen: 127.0.0.1:0", "  tokens: [{name: batch, token: env:BATCH}]", "",
	}, "\n"), d.open(nil))
	for range 2 {
		a := post(t, g.url("in")+"/api/evaluation", `{"encrypted_request":"`+request+`"}`,
			append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
		if a.status != 400 {
			t.Errorf("in: %d %s", a.status, a.body)
		}
	}
	if a := post(t, g.url("out")+"/api/evaluation", evaluation); a.status != 502 {
		t.Errorf("out: %d %s", a.status, a.body)
	}
	if a := as(t, g, batchToken, "/open/acme/SANDBOX", request); a.status != 422 {
		t.Errorf("local: %d %s", a.status, a.body)
	}
	if a := as(t, g, batchToken, "/open/acme/SANDBOX", answer); a.status != 422 { // to a pair of another lane
		t.Errorf("local: %d %s", a.status, a.body)
	}
	g.logged()
	d.wantUsed("k-acme in n 3", "k-acme", "c-acme")
	d.wantUsed("k-risk in n 1, k-risk out n 1, c-risk out n 1", "k-risk", "c-risk")
}
