package profile_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// TestSpecificationOfRiskOS compares the profile with texts copied from the vendor's
// specification, "Payload Encryption (Optional)". It is the only place other than the
// profile that has the texts of errors.
func TestSpecificationOfRiskOS(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	for _, e := range []struct{ method, path, identifier string }{
		{"POST", "/api/evaluation", "eval_id"}, {"POST", "/api/evaluation/v1", "eval_id"},
		{"PATCH", "/api/evaluation/123", "eval_id"},
		{"POST", "/api/docv/upload", "docv_previous_reference_id"},
		{"PATCH", "/api/docv/upload/123", "docv_previous_reference_id"},
	} {
		got, _, ok := p.Find(e.method, &url.URL{Path: e.path})
		if !ok || got.Identifier != e.identifier {
			t.Errorf("%s %s: %t %+v", e.method, e.path, ok, got)
		}
	}
	if len(p.Endpoints) != 5 {
		t.Errorf("%d endpoints", len(p.Endpoints))
	}
	if p.Trigger.Header != "X-Payload-Encrypted" || p.Trigger.Value != "true" ||
		p.Request.Body.Field != "encrypted_request" || p.Response.Body.Field != "encrypted_response" {
		t.Errorf("%+v %+v %+v", p.Trigger, p.Request.Body, p.Response.Body)
	}
	for on, want := range map[profile.Outcome]string{
		profile.NotSupported: `400 {"eval_id":"i","error":"Payload encryption is not supported for this api-key"}`,
		profile.Format:       `400 {"eval_id":"i","error":"Payload format is not supported"}`,
		profile.NotJWE:       `400 {"eval_id":"i","error":"Encrypted payload is not in JWE format"}`,
		profile.NotJWS:       `400 {"eval_id":"i","error":"Signed payload is not in JWS format"}`,
		profile.Decryption:   `400 {"eval_id":"i","error":"Payload decryption failed"}`,
		profile.Signature:    `400 {"eval_id":"i","error":"Payload signature could not be verified"}`,
		profile.SealingFailed: `500 {"eval_id":"i","error":"The encrypted payload is verified with success, ` +
			`however, server has internal problems to handle response encryption"}`,
	} {
		row, ok := p.Errors.Row(on)
		body := p.Errors.Render("i", row.Text)
		if got := fmt.Sprintf("%d %s", row.Status, body); !ok || got != want {
			t.Errorf("%s: %s", on, got)
		}
		if got, id, _, ok := p.Errors.Recognize(row.Status, body); !ok || got != on || id != "i" {
			t.Errorf("%s is read as %s, ID %q", on, got, id)
		}
	}
	alternative := []byte(`{"eval_id":"i","error":"Payload encryption is not supported for this API key"}`)
	if got, _, _, ok := p.Errors.Recognize(400, alternative); !ok || got != profile.NotSupported {
		t.Errorf("the second spelling of %s is read as %q", profile.NotSupported, got)
	}
}
