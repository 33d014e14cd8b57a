package rdx_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

const (
	rdxIDs = `"ProcessorId":"5723ae630063ac1a9c3ab079","IssuerId":"5723ae630063ac1a9c3ab083","TransactionId":"00ec0` +
		`43e-40b5-4ce4-95c2-9e83b644f412","MessageVersion":"2.2.0"`
	request = "878f4751-4140-4881-9e4a-003e83524f22"
)

// phoneBox receives what the issuer sends to the cardholder.
type phoneBox struct {
	mu    sync.Mutex
	codes []string
}

func (p *phoneBox) receive(_, otp string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes = append(p.codes, otp)
}

func (p *phoneBox) last(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) == 0 {
		t.Fatal("no passcode was sent")
	}
	return p.codes[len(p.codes)-1]
}

func wrong(otp string) string { return string('0'+(otp[0]-'0'+1)%10) + otp[1:] }

// bench is one issuer, and the messages of one challenge.
type bench struct {
	*testing.T
	url   string
	phone *phoneBox
	clock *sandboxtest.Clock
}

func newBench(t *testing.T) bench {
	b := bench{t, "", &phoneBox{}, &sandboxtest.Clock{}}
	b.url = sandboxtest.Serve(t, &rdx.Issuer{Now: b.clock.Now, OnOTP: b.phone.receive}).URL + "/bank/rdx/v1/"
	return b
}

func (b bench) call(name string, members string) sandboxtest.Reply {
	b.Helper()
	got := sandboxtest.Send(b.T, "POST", b.url+name, `{`+rdxIDs+`,`+members+`}`)
	for _, id := range []string{"ProcessorId", "IssuerId", "TransactionId"} {
		if !strings.Contains(rdxIDs, fmt.Sprintf("%q:%q", id, got.Text(id))) {
			b.Errorf("%s came back as %q", id, got.Text(id))
		}
	}
	if name != "risk" && got.Status == 200 && !strings.Contains(members, fmt.Sprintf("%q",
		got.Text("StepupRequestId"))) {
		b.Errorf("StepupRequestId came back as %q", got.Text("StepupRequestId"))
	}
	if got.Text("Status") == "" {
		b.Errorf("no Status in %s", got.Raw)
	}
	return got
}

func (b bench) stepup(counter int, members string) sandboxtest.Reply {
	b.Helper()
	return b.call("stepup", fmt.Sprintf(`"StepupRequestId":%q,"StepupCounter":%d%s`, request, counter, members))
}

func (b bench) initiate(counter int, c map[string]any) sandboxtest.Reply {
	b.Helper()
	return b.call("initiateaction",
		fmt.Sprintf(`"StepupRequestId":%q,"StepupCounter":%d,"Credentials":[{"Id":%q,"Type":%q}]`, request, counter,
			c["Id"], c["Type"]))
}

func (b bench) validate(counter int, c map[string]any, code string) sandboxtest.Reply {
	b.Helper()
	return b.call("validate",
		fmt.Sprintf(`"StepupRequestId":%q,"StepupCounter":%d,"CredentialResponse":[{"Id":%q,"Type":%q,"Value":%q}]`,
			request, counter, c["Id"], c["Type"], code))
}

func credential(t *testing.T, r sandboxtest.Reply, i int) map[string]any {
	t.Helper()
	list, _ := r.JSON["Credentials"].([]any)
	if len(list) <= i {
		t.Fatalf("no credential %d in %s", i, r.Raw)
	}
	return list[i].(map[string]any)
}

func (b bench) want(r sandboxtest.Reply, status string) {
	b.Helper()
	if r.Status != 200 || r.Text("Status") != status {
		b.Fatalf("got %d %s, want Status %s", r.Status, r.Raw, status)
	}
}

func (b bench) wantFault(r sandboxtest.Reply, says string) {
	b.Helper()
	b.want(r, "ERROR")
	if !strings.Contains(r.Text("Error", "Description"), says) {
		b.Errorf("Error says %q, want %q", r.Text("Error", "Description"), says)
	}
}

func TestIssuerRisk(t *testing.T) {
	for card, want := range map[string]string{
		`"4000000000001000"`: "SUCCESS", `"4000000000001018"`: "FAILURE", `"4000000000001091"`: "STEPUP",
		`"4000000000001109"`: "STEPUP",
		`"4000000000001117"`: "STEPUP", `"4000000000001125"`: "BLOCKED", `"redacted"`: "STEPUP", `"1"`: "STEPUP",
		`17`: "STEPUP", `null`: "STEPUP",
	} {
		t.Run(card, func(t *testing.T) {
			b := newBench(t)
			b.want(b.call("risk",
				`"MerchantInfo":{},"TransactionInfo":{"TransactionAmount":1000},"PaymentInfo":{"CardNumber":`+card+
					`}`), want)
		})
	}
	// An issuer ignores unknown members, and unknown values of known ones.
	b := newBench(t)
	b.want(b.call("risk",
		`"MerchantInfo":{"X":1},"TransactionInfo":{"Channel":"99"},"PaymentInfo":[],"MessageCategory":"79","New":{"a`+
			`":[1]},"RiskScore":7`), "STEPUP")
}

func TestIssuerStepup(t *testing.T) {
	for card, want := range map[string]string{"1091": "CHOICE OTPSMS OTPEMAIL", "1109": "OTP OTPSMS",
		"1117": "OUTOFBAND OUTOFBANDOTHER", "1000": "", "": "CHOICE OTPSMS OTPEMAIL"} {
		t.Run(card, func(t *testing.T) {
			b := newBench(t)
			got := b.stepup(0, `,"PaymentInfo":{"CardNumber":"400000000000`+card+`"}`)
			if want == "" {
				b.want(got, "FAILURE")
				return
			}
			b.want(got, "SUCCESS")
			types := got.Text("StepupType")
			list, _ := got.JSON["Credentials"].([]any)
			for i := range list {
				types += " " + credential(t, got, i)["Type"].(string)
				if id := credential(t, got, i)["Id"].(string); len(id) != 36 {
					t.Errorf("Credentials[%d].Id is %q", i, id)
				}
			}
			if types != want {
				t.Errorf("offered %s, want %s", types, want)
			}
		})
	}
}

func TestIssuerErrors(t *testing.T) {
	risk := map[string]string{"ProcessorId": `"5723ae630063ac1a9c3ab079"`, "IssuerId": `"5723ae630063ac1a9c3ab083"`,
		"MessageVersion": `"2.2.0"`,
		"TransactionId":  `"00ec043e-40b5-4ce4-95c2-9e83b644f412"`, "MerchantInfo": `{}`, "TransactionInfo": `{}`}
	stepup := map[string]string{"ProcessorId": risk["ProcessorId"], "IssuerId": risk["IssuerId"],
		"MessageVersion": `"2.2.0"`,
		"TransactionId":  risk["TransactionId"], "StepupRequestId": `"` + request + `"`, "StepupCounter": "0"}
	with := func(m map[string]string, changes ...string) string {
		o := make(map[string]json.RawMessage)
		for k, v := range m {
			o[k] = json.RawMessage(v)
		}
		for i := 0; i < len(changes); i += 2 {
			o[changes[i]] = json.RawMessage(changes[i+1])
			if changes[i+1] == "" {
				delete(o, changes[i])
			}
		}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	srv := sandboxtest.Serve(t, &rdx.Issuer{Now: sandboxtest.AtNoon})
	for _, c := range []struct {
		call, body string
		status     int
		says       string
	}{
		{"risk", with(risk, "ProcessorId", ""), 405, "ProcessorId is missing"},
		{"risk", with(risk, "IssuerId", "null"), 405, "IssuerId is missing"},
		{"risk", with(risk, "IssuerId", "7"), 405, "IssuerId is empty or not a string"},
		{"risk", with(risk, "IssuerId", `" "`), 405, "IssuerId is empty or not a string"},
		{
			"risk", with(risk, "ProcessorId", `"5723ae630063ac1a9c3ab079x"`), 405,
			"ProcessorId has 25 characters, at most 24",
		},
		{"risk", with(risk, "TransactionId", ""), 405, "TransactionId is missing"},
		{"risk", with(risk, "TransactionId", `"17"`), 405, "TransactionId is not a GUID"},
		{"risk", with(risk, "MessageVersion", ""), 405, "MessageVersion is missing"},
		{"risk", with(risk, "MerchantInfo", ""), 405, "MerchantInfo is missing"},
		{"risk", with(risk, "TransactionInfo", "[]"), 405, "TransactionInfo is not a JSON object"},
		{
			"risk", with(risk, "transactionid", `"00ec043e-40b5-4ce4-95c2-9e83b644f412"`, "TransactionId", ""), 405,
			"TransactionId is missing",
		},
		{"stepup", with(stepup, "StepupRequestId", ""), 405, "StepupRequestId is missing"},
		{"stepup", with(stepup, "StepupCounter", `"x"`), 405, "StepupCounter is not an integer"},
		{"stepup", with(stepup, "StepupCounter", "-1"), 405, "StepupCounter is not an integer from 0"},
		{"stepup", with(stepup, "StepupCounter", "0.5"), 405, "StepupCounter is not an integer"},
		{"initiateaction", with(stepup), 405, "Credentials has 0 entries"},
		{"initiateaction", with(stepup, "Credentials", "{}"), 405, "Credentials is not a JSON array"},
		{"initiateaction", with(stepup, "Credentials", "[7]"), 405, "Credentials[0] is not a JSON object"},
		{
			"initiateaction",
			with(stepup, "Credentials", `[{"Id":"a","Type":"OTPSMS"},{"Id":"b","Type":"OTPSMS"}]`), 405,
			"Credentials has 2 entries",
		},
		{"initiateaction", with(stepup, "Credentials", `[{"Type":"OTPSMS"}]`), 405, "Credentials[0].Id is missing"},
		{"initiateaction", with(stepup, "Credentials", `[{"Id":"a"}]`), 405, "Credentials[0].Type is missing"},
		{"validate", with(stepup), 405, "CredentialResponse has 0 entries"},
		{
			"validate", with(stepup, "CredentialResponse", `[{"Id":"","Type":"OTPSMS"}]`), 405,
			"CredentialResponse[0].Id is missing",
		},
		{"validate", "eyJhbGciOiJub25lIn0", 405, "the message is not JSON"},
		{"validate", `"text"`, 405, "the message is not a JSON object"},
		{"validate", strings.Repeat(" ", 1<<20+1), 413, "the message is over 1 MiB"},
		{"challenge", with(stepup), 404, "no such call"},
	} {
		t.Run(c.says, func(t *testing.T) {
			got := sandboxtest.Send(t, "POST", srv.URL+"/v1/"+c.call, c.body)
			if got.Status != c.status || got.Text("Status") != "ERROR" ||
				!strings.Contains(got.Text("Error", "Description"), c.says) {
				t.Errorf("%s: got %d %s, want %d that says %q", c.call, got.Status, got.Raw, c.status, c.says)
			}
			if len(got.Text("Error", "ReferenceNumber")) != 36 || got.Text("Error", "Message") == "" {
				t.Errorf("the Error object is incomplete: %s", got.Raw)
			}
		})
	}
	got := sandboxtest.Send(t, "POST", srv.URL+"/v1/risk", with(risk, "MerchantInfo", ""))
	if got.Text("TransactionId") != "00ec043e-40b5-4ce4-95c2-9e83b644f412" {
		t.Errorf("an error echoes TransactionId as %q", got.Text("TransactionId"))
	}
	if got := sandboxtest.Send(t, "GET", srv.URL+"/v1/risk", ""); got.Status != 405 ||
		got.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", got.Status, got.Header.Get("Allow"))
	}
}
