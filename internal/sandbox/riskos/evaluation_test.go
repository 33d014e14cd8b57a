package riskos_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

func evaluationOf(id, individual string) string {
	return fmt.Sprintf(`{"id":%q,"timestamp":"2026-03-04T11:59:59Z","workflow":"onboarding",`+
		`"data":{"individual":%s,"channel":"web"}}`, id, individual)
}

const adult = `"given_name":"Ada","family_name":"Byron","national_id":"123-45-6789","date_of_birth":"1985-12-10","em` +
	`ail":"ada@example.com"`

func TestEveryTestIdentity(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	for _, id := range riskos.TestIdentities {
		given := id.GivenName
		if given == "" {
			given = "Ada"
		}
		t.Run(given+" "+id.FamilyName, func(t *testing.T) {
			got := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
				evaluationOf("a-1", fmt.Sprintf(`{"given_name":%q,"family_name":%q}`, given,
					strings.ToLower(id.FamilyName))))
			if got.Status != id.Status {
				t.Fatalf("status %d, want %d: %s", got.Status, id.Status, got.Raw)
			}
			if got.Text("decision") != id.Decision || got.Text("error") != id.Error {
				t.Errorf("decision %q and error %q, want %q and %q", got.Text("decision"), got.Text("error"),
					id.Decision, id.Error)
			}
		})
	}
}

// This repeats the table of the doc comment, so that decisions are not changed by accident.
func TestDecisions(t *testing.T) {
	const completed, paused = "evaluation_completed CLOSED", "evaluation_paused ON_HOLD"
	for _, c := range []struct {
		name, data     string
		status         int
		decision, eval string
		providers      []string
	}{
		{"accept", `{"individual":{"family_name":"Accept"}}`, 200, "ACCEPT", completed, nil},
		{"reject", `{"individual":{"family_name":"Reject"}}`, 200, "REJECT", completed, nil},
		{
			"review by passcode", `{"individual":{"family_name":"Review"}}`, 201, "REVIEW", paused,
			[]string{"SandboxOTP"},
		},
		{
			"review by documents", `{"individual":{"given_name":"Document","family_name":"Review"}}`, 201, "REVIEW",
			paused, []string{"SocureDocRequest"},
		},
		{"no individual", `{"ip_address":"192.0.2.1"}`, 201, "REVIEW", paused, []string{"SocureDocRequest"}},
		{"no national_id", `{"individual":{"given_name":"Ada"}}`, 201, "REVIEW", paused, []string{"SocureDocRequest"}},
		{"repeated digit", `{"individual":{"national_id":"999-99-9999"}}`, 200, "REJECT", completed, nil},
		{
			"no date of birth", `{"individual":{"national_id":"123456789"}}`, 201, "REVIEW", paused,
			[]string{"SocureDocRequest"},
		},
		{
			"a child", `{"individual":{"national_id":123456789,"date_of_birth":"2008-03-05"}}`, 200, "REJECT",
			completed, nil,
		},
		{
			"eighteen today",
			`{"individual":{"national_id":"123456789","date_of_birth":"2008-03-04","email":"a@example.com"}}`, 200,
			"ACCEPT", completed, nil,
		},
		{
			"no contact", `{"individual":{"national_id":"123456789","date_of_birth":"1985-12-10"}}`, 201, "REVIEW",
			paused, []string{"SocureDocRequest"},
		},
		{
			"abroad", `{"individual":{` + adult + `,"address":{"country":"de"}}}`, 201, "REVIEW", paused,
			[]string{"SandboxOTP"},
		},
		{
			"at home",
			`{"individual":{` + adult + `,"address":{"country":"US"},"phone_number":"+1 (212) 555-0100"}}`, 200,
			"ACCEPT", completed, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
			got := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
				`{"id":"a-1","timestamp":"2026-03-04T11:59:59+01:00","workflow":"onboarding","data":`+c.data+`}`)
			if got.Status != c.status || got.Text("decision") != c.decision ||
				got.Text("eval_status")+" "+got.Text("status") != c.eval {
				t.Errorf("got %d %s", got.Status, got.Raw)
			}
			var e struct {
				Enrichments []struct {
					Provider string `json:"enrichment_provider"`
				} `json:"data_enrichments"`
			}
			if err := json.Unmarshal([]byte(got.Raw), &e); err != nil {
				t.Fatal(err)
			}
			var providers []string
			for _, p := range e.Enrichments[1:] {
				providers = append(providers, p.Provider)
			}
			if d := cmp.Diff(c.providers, providers); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEvaluationMembers(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	got := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation/2026.1",
		evaluationOf("a-1", `{`+adult+`,"id":12345678901234567890.10}`), "X-API-Version", "2025-01-01.orion")
	names := make([]string, 0, len(got.JSON))
	for n := range got.JSON {
		names = append(names, n)
	}
	slices.Sort(names)
	want := strings.Fields(`data_enrichments decision decision_at environment_name eval_end_time eval_id eval_source
		eval_start_time eval_status id notes review_queues score status sub_status tags workflow workflow_id
		workflow_version`)
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	first := got.JSON["data_enrichments"].([]any)[0].(map[string]any)
	names = names[:0]
	for n := range first {
		names = append(names, n)
	}
	slices.Sort(names)
	want = strings.Fields(`enrichment_endpoint enrichment_name enrichment_provider is_source_cache request ` +
		`response status_code total_attempts`)
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	if n := first["request"].(map[string]any)["id"]; n != json.Number("12345678901234567890.10") {
		t.Errorf("a number came back as %v", n)
	}
	for name, want := range map[string]string{"id": "a-1", "workflow": "onboarding", "workflow_version": "2026.1",
		"eval_start_time": "2026-03-04T12:00:00.000Z", "eval_end_time": "2026-03-04T12:00:00.000Z"} {
		if got.Text(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Text(name), want)
		}
	}
	if _, err := uuid.Parse(got.Text("eval_id")); err != nil {
		t.Errorf("eval_id: %v", err)
	}
	read := sandboxtest.Send(t, "GET", srv.URL+"/api/evaluation/"+got.Text("eval_id"), "")
	if d := cmp.Diff(got.Raw, read.Raw); read.Status != 200 || d != "" {
		t.Errorf("GET: %d\n%s", read.Status, d)
	}
}

func TestReRun(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	body := evaluationOf("a-1", `{`+adult+`}`)
	first, second := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation", body), sandboxtest.Send(t, "POST",
		srv.URL+"/api/evaluation", body)
	if first.Text("eval_id") == second.Text("eval_id") {
		t.Error("a re-run has the eval_id of the first run")
	}
	if d := cmp.Diff([]any{[]any{}, []any{"re_run"}}, []any{first.JSON["tags"], second.JSON["tags"]}); d != "" {
		t.Error(d)
	}
	if !strings.Contains(second.Text("notes"), first.Text("eval_id")) {
		t.Errorf("notes %q name no earlier evaluation", second.Text("notes"))
	}
}

func TestResume(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		code       string // of the error
	}{
		{"data alone", `{"data":{"otp":{"code":"123456"}}}`, 200, ""},
		{"code as a number", `{"data":{"otp":{"code":123456}}}`, 200, ""},
		{
			"shape of POST",
			`{"id":"a-1","timestamp":"2026-03-04T12:00:00Z","workflow":"onboarding","data":{"otp":{"code":"123456"}}}`,
			200, "",
		},
		{"wrong code", `{"data":{"otp":{"code":"123457"}}}`, 400, "otp_invalid"},
		{"no code", `{"data":{}}`, 400, "otp_invalid"},
		{"no data", `{}`, 400, "invalid_request"},
		{"another id", `{"id":"a-2","data":{"otp":{"code":"123456"}}}`, 400, "invalid_request"},
		{"otp of a wrong shape", `{"data":{"otp":"123456"}}`, 422, "unsupported_schema"},
		{"no JSON", `{"data"`, 400, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
			paused := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
				evaluationOf("a-1", `{"family_name":"Review"}`))
			url := srv.URL + "/api/evaluation/" + paused.Text("eval_id")
			if _, ok := paused.JSON["eval_end_time"]; !ok || paused.JSON["eval_end_time"] != nil {
				t.Errorf("eval_end_time of a paused evaluation is %v", paused.JSON["eval_end_time"])
			}
			got := sandboxtest.Send(t, "PATCH", url, c.body)
			if got.Status != c.status || got.Text("error") != c.code {
				t.Fatalf("got %d %s", got.Status, got.Raw)
			}
			now := sandboxtest.Send(t, "GET", url, "")
			if c.status != 200 {
				if now.Text("eval_status") != "evaluation_paused" {
					t.Errorf("a refused PATCH left %s", now.Raw)
				}
				return
			}
			if d := cmp.Diff(got.Raw, now.Raw); d != "" {
				t.Error(d)
			}
			if got.Text("id") != "a-1" || got.Text("decision") != "ACCEPT" ||
				got.Text("eval_status") != "evaluation_completed" {
				t.Errorf("completed: %s", got.Raw)
			}
			again := sandboxtest.Send(t, "PATCH", url, c.body)
			if again.Status != 400 || again.Text("error") != "evaluation_completed" {
				t.Errorf("PATCH of a completed evaluation: %d %s", again.Status, again.Raw)
			}
		})
	}
}

func TestEvaluationsAreBounded(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon, MaxEvaluations: 3})
	var ids []string
	for i := range 5 {
		ids = append(ids,
			sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
				evaluationOf(fmt.Sprint("a-", i), `{`+adult+`}`)).Text("eval_id"))
	}
	var got []int
	for _, id := range ids {
		got = append(got, sandboxtest.Send(t, "GET", srv.URL+"/api/evaluation/"+id, "").Status)
	}
	if d := cmp.Diff([]int{404, 404, 200, 200, 200}, got); d != "" {
		t.Error(d)
	}
}

// The echoed data is bounded in bytes too, but one evaluation is kept at any size.
func TestEvaluationsAreBoundedInBytes(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon, MaxBytes: 2500})
	var ids []string
	post := func(size int) {
		got := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
			evaluationOf("a-1", `{`+adult+`,"x":"`+strings.Repeat("x", size)+`"}`))
		ids = append(ids, got.Text("eval_id"))
	}
	kept := func() (statuses []int) {
		for _, id := range ids {
			statuses = append(statuses, sandboxtest.Send(t, "GET", srv.URL+"/api/evaluation/"+id, "").Status)
		}
		return statuses
	}
	for range 4 {
		post(900)
	}
	if d := cmp.Diff([]int{404, 404, 200, 200}, kept()); d != "" {
		t.Error(d)
	}
	post(9000)
	if d := cmp.Diff([]int{404, 404, 404, 404, 200}, kept()); d != "" {
		t.Error(d)
	}
}

// Of many concurrent PATCHes exactly one completes the evaluation.
func TestResumeAtOnce(t *testing.T) {
	s := &riskos.Service{Now: sandboxtest.AtNoon}
	srv := sandboxtest.Serve(t, s)
	url := srv.URL + "/api/evaluation/" + sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
		evaluationOf("a-1", `{"family_name":"Review"}`)).Text("eval_id")
	codes := make([]int, 16)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("PATCH", url, strings.NewReader(`{"data":{"otp":{"code":"123456"}}}`)))
			codes[i] = w.Code
		})
	}
	wg.Wait()
	slices.Sort(codes)
	if d := cmp.Diff(slices.Concat([]int{200}, slices.Repeat([]int{400}, 15)), codes); d != "" {
		t.Error(d)
	}
}
