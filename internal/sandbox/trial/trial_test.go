package trial_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/sandbox/trial"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// TestRun tries the profiles of the program, and one that is a file.
func TestRun(t *testing.T) {
	ledger, err := profile.Load("../../../testdata/profiles/ledger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p    *profile.Profile
		want []string
	}{
		{testlane.Profile(t, "riskos"), []string{
			"PATCH /api/docv/upload/docv_transaction_token-1\n", "  X-Payload-Encrypted: true\n",
			`body     {"encrypted_request":"<token of `, `  JWE      alg "RSA-OAEP-256", enc "A256GCM"`,
			`  JWS      alg "RS256", kid "client-key"`,
			`payload  {"eval_id":"eval_id-1","id":"id-1","text":"response"}`,
			`decryption      400 {"eval_id":"…","error":"Payload decryption failed"}`, " malformed and good messages",
		}},
		{testlane.Profile(t, "rdx"), []string{
			"POST /any\n  Content-Type: application/jose\n  body     <token of ",
			`kid "trial-PKE-ACS-server-4096SHA2-DEV"`, `body     {"text":"response"}`,
		}},
		{ledger, []string{`enc "A128CBC-HS256"`, `enc "A256CBC-HS512"`, `alg "PS256"`}},
	} {
		var out bytes.Buffer
		if err := trial.Run(t.Context(), c.p, &out); err != nil {
			t.Errorf("%s: %v\n%s", c.p.Name, err, out.String())
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", c.p.Name, want, out.String())
			}
		}
	}
}
