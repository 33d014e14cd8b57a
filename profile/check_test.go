package profile_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane/profile"
)

// TestTraps changes one thing in a valid profile to a word that looks right, and would be
// taken literally or never be used.
func TestTraps(t *testing.T) {
	source, err := profile.Source("riskos")
	if err != nil {
		t.Fatal(err)
	}
	const trigger, first = `value: "true"`, `path: "/api/evaluation", identifier`
	for _, c := range []struct{ from, to, says string }{
		{trigger, `value: key-id`, `trigger.value: is "key-id", and would be sent as that text`},
		{trigger, `value: any`, `trigger.value: is "any", and would be sent as that text`},
		{trigger, `value: " true"`, `trigger.value: is " true": give a header value without blanks around it`},
		{`off: ["false"]`, `off: ["TRUE"]`, `trigger.off: has "TRUE", which is the value that announces`},
		{`off: ["false"]`, `off: [absent]`, `trigger.off: is "absent", and would be sent as that text`},
		{"header: X-Payload-Encrypted", `header: "X Payload"`, `trigger.header: is "X Payload": give the name`},
		{"header: X-Payload-Encrypted", "header: content-type", "trigger.header: is Content-Type, which means"},
		{"field: encrypted_request", "field: card.encryptedData", `request.body.field: is "card.encryptedData": give`},
		{"field: encrypted_request", "field: $.encrypted", "request.body.field"},
		{"[eval_id, docv_previous_reference_id]", "[eval_id, docv_previous_reference_id, encrypted_response]",
			`response.body.accompanying: has "encrypted_response", which is the field`},
		{"echo: [id]}", "echo: [data.id]}", `endpoints[0].echo: is "data.id": give`},
		{"method: POST", "method: GET", `endpoints[0].method: is "GET": give POST, PUT, PATCH; a request of another`},
		{"method: POST", "method: DELETE", "endpoints[0].method"},
		{first, `path: "/api/evaluation/:id", identifier`, `endpoints[0].path: has ":id", which would be compared`},
		{first, `path: "/api/eval-{id}", identifier`, `endpoints[0].path: has "eval-{id}", which would be compared`},
		{first, `path: "/api/*", identifier`, `endpoints[0].path: has "*", which would be compared`},
		{first, `path: "/api//evaluation", identifier`, `endpoints[0].path: has the segment ""`},
		{first, `path: "/api/../evaluation", identifier`, `endpoints[0].path: has the segment ".."`},
		{first, `path: "/api/evaluation?full=1", identifier`, `endpoints[0].path: has "evaluation?full=1"`},
		{first, `path: "/{id}/{id}", identifier`, `endpoints[0].path: has the variable "id" twice`},
		{first, `path: "/{a b}", identifier`, `endpoints[0].path: has the variable "a b"`},
		{first, `path: any, identifier`, `endpoints[1].path: is never found: endpoint 1, "any", has the same`},
		{first, `path: "/api/{x}/{y}", identifier`, "endpoints[1].path: is never found"},
		{"typ: {open: [absent, JOSE, JWT]}", "typ: {seal: absent, open: [absent]}",
			`request.sign.typ.seal: is "absent", and would be sent`},
		{"cty: {open: [absent, JWT]}", "cty: {open: [known]}", `request.sign.cty.open: has "known"`},
		{"enc: {seal: A256GCM, open: [A256GCM]}", "enc: {seal: A256GCM, open: [A128GCM]}",
			"request.encrypt.enc.open: lacks A256GCM, which messages are sealed with"},
		{"enc: {seal: A256GCM, open: [A256GCM]}", "iat: {}",
			`request.encrypt.iat: there is no such key; there are alg, enc, kid, typ and cty`},
		{"content_type: application/json, field: encrypted_request", "content_type: any, field: encrypted_request",
			`request.body.content_type: is "any": give a media type`},
		{"environments: [DEV, SANDBOX, PROD]", "environments: [DEV, PROD, DEV]", `environments: has "DEV" twice`},
		{"usage: [digitalSignature, keyEncipherment]", "usage: [keyEncipherment]",
			"keys.usage: lacks digitalSignature, although messages are signed"},
		{"allowed: [digitalSignature, keyEncipherment, dataEncipherment]", "allowed: [dataEncipherment]", ""},
		{"required: [digitalSignature, keyEncipherment]\n    allowed: [digitalSignature, keyEncipherment",
			"required: [keyEncipherment]\n    allowed: [keyEncipherment",
			"keys.usage: has digitalSignature, which certificate.key_usage does not allow"},
		{"absent: warning", "absent: maybe", `certificate.key_usage.absent: "maybe": use`},
	} {
		if !strings.Contains(string(source), c.from) {
			t.Fatalf("the profile has no %q", c.from)
		}
		_, err := profile.Parse([]byte(strings.Replace(string(source), c.from, c.to, 1)))
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.to, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v\nwant %s", c.to, err, c.says)
		}
	}
}

// TestFaultsTogether: a file's faults come at once, in the words and in the order of the file.
func TestFaultsTogether(t *testing.T) {
	source, err := profile.Source("rdx")
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.NewReplacer(
		"title:",
		"titel:",
		"method: POST",
		"method: GET",
		"status: 413",
		"status: 200",
		"keys:\n  bits: 4096",
		"keys:\n  bits: 1024",
	).Replace(string(source))
	_, err = profile.Parse([]byte(wrong))
	if err == nil {
		t.Fatal("it was accepted")
	}
	said := strings.Split(err.Error(), "\n")
	want := []string{
		"the profile is refused:",
		`line 5: titel: there is no such key; did you mean "title"?`,
		`line 10: endpoints[0].method: is "GET": give POST, PUT, PATCH; ` +
			"a request of another method has no body to seal",
		"line 38: errors.table[5].status: is 200: give a status from 400 to 599",
		"line 42: keys.bits: is 1024, which is not among certificate.bits",
	}
	for i, line := range want {
		if i >= len(said) || said[i] != line {
			t.Fatalf("%s\nwant\n%s", err, strings.Join(want, "\n"))
		}
	}
}
