package riskos_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

// Published bodies are compared completely.
func TestRiskOSErrors(t *testing.T) {
	good := evaluationOf("a-1", `{`+adult+`}`)
	without := func(member string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(good), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, member)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon, Workflows: []string{"onboarding"}})
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string // the whole body when it begins with {, else the code
		says                     string
	}{
		{
			"phone", "POST", "/api/evaluation", evaluationOf("a-1", `{`+adult+`,"phone_number":"call me"}`), nil,
			400, `{"error":"invalid_phone"}`, "",
		},
		{
			"short phone", "POST", "/api/evaluation", evaluationOf("a-1", `{`+adult+`,"phone_number":"555-0100"}`),
			nil, 400, `{"error":"invalid_phone"}`, "",
		},
		{
			"phone of a wrong type", "POST", "/api/evaluation",
			evaluationOf("a-1", `{`+adult+`,"phone_number":{}}`), nil, 400, `{"error":"invalid_phone"}`, "",
		},
		{
			"rate", "POST", "/api/evaluation", evaluationOf("a-1", `{"given_name":"Rate","family_name":"Error"}`),
			nil, 429, `{"error":"rate_limit"}`, "",
		},
		{
			"server", "POST", "/api/evaluation",
			evaluationOf("a-1", `{"given_name":"Server","family_name":"Error"}`), nil, 500,
			`{"error":"server_error"}`, "",
		},
		{
			"forbidden", "POST", "/api/evaluation",
			evaluationOf("a-1", `{"given_name":"Forbidden","family_name":"Error"}`), nil, 403, "forbidden",
			"ask for access",
		},
		{"array", "POST", "/api/evaluation", `[]`, nil, 422, `{"error":"unsupported_schema"}`, ""},
		{"null", "POST", "/api/evaluation", `null`, nil, 422, `{"error":"unsupported_schema"}`, ""},
		{
			"data is text", "POST", "/api/evaluation", strings.Replace(good, `"data":{`, `"data":"x","d":{`, 1),
			nil, 422, `{"error":"unsupported_schema"}`, "",
		},
		{
			"id is a number", "POST", "/api/evaluation", strings.Replace(good, `"a-1"`, `1`, 1), nil, 422,
			`{"error":"unsupported_schema"}`, "",
		},
		{
			"individual is text", "POST", "/api/evaluation", evaluationOf("a-1", `"Ada"`), nil, 422,
			`{"error":"unsupported_schema"}`, "",
		},
		{
			"address is text", "POST", "/api/evaluation", evaluationOf("a-1", `{"address":"Berlin"}`), nil, 422,
			`{"error":"unsupported_schema"}`, "",
		},
		{
			"version of the API", "POST", "/api/evaluation", good, []string{"X-API-Version", "2019-01-01.ursa"},
			422, `{"error":"unsupported_schema"}`, "",
		},
		{"no id", "POST", "/api/evaluation", without("id"), nil, 400, "invalid_request", "member id is missing"},
		{
			"no timestamp", "POST", "/api/evaluation", without("timestamp"), nil, 400, "invalid_request",
			"member timestamp is missing",
		},
		{
			"no workflow", "POST", "/api/evaluation", without("workflow"), nil, 400, "invalid_request",
			"member workflow is missing",
		},
		{"no data", "POST", "/api/evaluation", without("data"), nil, 400, "invalid_request", "member data is missing"},
		{
			"data is null", "POST", "/api/evaluation", strings.Replace(good, `"data":{`, `"data":null,"d":{`, 1),
			nil, 400, "invalid_request", "member data is missing",
		},
		{
			"empty id", "POST", "/api/evaluation", strings.Replace(good, `"a-1"`, `""`, 1), nil, 400,
			"invalid_request", "member id has 0 bytes",
		},
		{
			"long id", "POST", "/api/evaluation", strings.Replace(good, `a-1`, strings.Repeat("a", 257), 1), nil,
			400, "invalid_request", "member id has 257 bytes",
		},
		{
			"long version", "POST", "/api/evaluation/" + strings.Repeat("9", 257), good, nil, 400,
			"invalid_request", "version in the path",
		},
		{
			"timestamp", "POST", "/api/evaluation", strings.Replace(good, "2026-03-04T", "04.03.2026 ", 1), nil,
			400, "invalid_request", "is not RFC 3339",
		},
		{"no JSON", "POST", "/api/evaluation", `encrypted`, nil, 400, "invalid_request", "the body is not JSON"},
		{"two values", "POST", "/api/evaluation", good + good, nil, 400, "invalid_request", "the body is not JSON"},
		{"empty body", "POST", "/api/evaluation", ``, nil, 400, "invalid_request", "the body is not JSON"},
		{
			"workflow", "POST", "/api/evaluation", strings.Replace(good, "onboarding", "lending", 1), nil, 404,
			"workflow_not_found", `"lending" does not exist`,
		},
		{
			"GET unknown", "GET", "/api/evaluation/fd2a9785-554c-46be-a36f-e9443eefa380", "", nil, 404,
			"evaluation_not_found", "fd2a9785-554c-46be-a36f-e9443eefa380",
		},
		{
			"PATCH unknown", "PATCH", "/api/evaluation/fd2a9785-554c-46be-a36f-e9443eefa380", `{"data":{}}`, nil,
			404, "evaluation_not_found", "fd2a9785-554c-46be-a36f-e9443eefa380",
		},
		{"path", "POST", "/api/evaluations", good, nil, 404, "not_found", "/api/evaluation"},
		{"empty version", "POST", "/api/evaluation/", good, nil, 404, "not_found", "/api/evaluation"},
		{
			"method", "PUT", "/api/evaluation", good, nil, 405, "method_not_allowed",
			"PUT is not served here; this path takes POST",
		},
		{"method with an id", "DELETE", "/api/evaluation/x", "", nil, 405, "method_not_allowed", "GET, PATCH, POST"},
		{"method of DocV", "GET", "/api/docv/upload", "", nil, 405, "method_not_allowed", "takes POST"},
		{
			"1 MiB and a byte", "POST", "/api/evaluation", strings.Repeat(" ", 1<<20+1), nil, 413,
			"request_too_large", "over the limit",
		},
		{
			"PATCH of 1 MiB and a byte", "PATCH", "/api/evaluation/x", strings.Repeat(" ", 1<<20+1), nil, 413,
			"request_too_large", "over the limit",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sandboxtest.Send(t, c.method, srv.URL+c.path, c.body, c.header...)
			if got.Status != c.status {
				t.Errorf("status %d, want %d", got.Status, c.status)
			}
			if strings.HasPrefix(c.want, "{") {
				if d := cmp.Diff(c.want, strings.TrimSpace(got.Raw)); d != "" {
					t.Error(d)
				}
			} else if got.Text("error") != c.want || !strings.Contains(got.Text("message"), c.says) {
				t.Errorf("got %s, want error %q that says %q", got.Raw, c.want, c.says)
			}
			if retry := got.Header.Get("X-Retry-After"); (c.status == 429) != (retry == "1") {
				t.Errorf("X-Retry-After %q with status %d", retry, c.status)
			}
		})
	}
}

func TestUnauthorized(t *testing.T) {
	srv := sandboxtest.Serve(t,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { riskos.Unauthorized(w) }))
	got := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation", "{}")
	if got.Status != 401 || got.Text("error") != "unauthorized" || got.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("got %d %s %v", got.Status, got.Raw, got.Header)
	}
}
