package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealane/sealane/internal/sandbox/rdx"
)

const rdxSchema = "../docs/profiles/rdx.schema.json"

// vendorStepup is the decrypted message of the vendor's specification.
const vendorStepup = `{"ProcessorId":"5723ae630063ac1a9c3ab079","IssuerId":"5723ae630063ac1a9c3ab083",
"TransactionId":"00ec043e-40b5-4ce4-95c2-9e83b644f412","DSTransactionId":"00ec043e-40b5-4ce4-95c2-9e83b644f987",
"ThreeDSRequestorAuthenticationInd":"01","StepupRequestId":"878f4751-4140-4881-9e4a-003e83524f22",
"DeviceLocale":"en-US","DeviceUserAgent":"Mozilla/5.0","MessageVersion":"2.2.0","RDXMessageVersion":"2.2.3",
"MessageCategory":"01","MerchantInfo":{"AcquirerId":"1337","AcquirerCountryCode":"840","MerchantId":"876543210",
"MerchantName":"Ranier Expeditions","MerchantURL":"https://www.requestor.com","MerchantCategoryCode":"0123",
"MerchantCountryCode":"840","MerchantAppRedirectURL":"merchantScheme://appName?transID=b2385523"},
"PaymentInfo":{"CardNumber":"redacted","CardExpiryMonth":"08","CardExpiryYear":"28","CardHolderName":"Jane Doe"},
"TransactionInfo":{"TransactionCurrency":"840","Channel":"02"}}`

// schemas compiles the definitions of the documented schema, by name.
func schemas(t *testing.T) func(name string, message []byte) error {
	t.Helper()
	compiled := map[string]*jsonschema.Schema{}
	for _, call := range []string{rdx.CallRisk, rdx.CallStepup, rdx.CallInitiateAction, rdx.CallValidate} {
		for _, name := range []string{call, call + "-answer"} {
			compiled[name] = jsonschema.NewCompiler().MustCompile(rdxSchema + "#/$defs/" + name)
		}
	}
	compiled["refusal"] = jsonschema.NewCompiler().MustCompile(rdxSchema + "#/$defs/refusal")
	return func(name string, message []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
		if err != nil {
			return err
		}
		return compiled[name].Validate(value)
	}
}

// exchangeOfRDX is one message and its answer.
type exchangeOfRDX struct {
	call            string
	request, answer []byte
}

// recordRDX plays the challenges of every test card, and returns all that VCAS and the issuer said.
func recordRDX(t *testing.T) []exchangeOfRDX {
	t.Helper()
	var mu sync.Mutex
	var all []exchangeOfRDX
	issuer := &rdx.Issuer{OTP: "123456"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(request))
		answer := httptest.NewRecorder()
		issuer.ServeHTTP(answer, r)
		mu.Lock()
		all = append(all, exchangeOfRDX{call: path.Base(r.URL.Path), request: request, answer: answer.Body.Bytes()})
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	defer server.Close()
	for _, card := range rdx.TestCards {
		typed := []string{"000000", "123456"}
		v := rdx.NewVCAS(http.DefaultClient, server.URL+"/v1")
		v.CardNumber, v.Wait = card.Number, func(context.Context, time.Duration) error { return nil }
		_, err := v.Challenge(t.Context(), func(context.Context, rdx.Answer) (string, error) {
			what := typed[0]
			typed = typed[1:]
			return what, nil
		})
		if err != nil {
			t.Fatalf("%s: %v", card.Note, err)
		}
	}
	return all
}

// TestSchemaOfRDX: what VCAS and the issuer say to each other agrees with the documented schema, and so does the
// example of the vendor's specification. What lacks a required member, or has a wrong one, does not.
func TestSchemaOfRDX(t *testing.T) {
	check := schemas(t)
	if err := check(rdx.CallStepup, []byte(vendorStepup)); err != nil {
		t.Errorf("the vendor's example: %v", err)
	}
	seen := map[string]int{}
	for _, x := range recordRDX(t) {
		for name, message := range map[string][]byte{x.call: x.request, x.call + "-answer": x.answer} {
			seen[name]++
			if err := check(name, message); err != nil {
				t.Errorf("%s %s: %v", name, message, err)
			}
			for _, member := range required(t, name) {
				if err := check(name, withMember(t, message, member, nil)); err == nil {
					t.Errorf("%s without %s is taken", name, member)
				}
				if err := check(name, withMember(t, message, member, false)); err == nil {
					t.Errorf("%s is taken with false as its %s", name, member)
				}
			}
			if err := check(name, withMember(t, message, "NewMember", "x")); err != nil {
				t.Errorf("%s with a new member: %v", name, err)
			}
		}
	}
	for name := range seen {
		if seen[name] == 0 || len(seen) != 8 {
			t.Errorf("seen were %v", seen)
		}
	}
}

// TestSchemaOfRefusals: the issuer refuses what the schema refuses, and its refusal agrees with the schema.
func TestSchemaOfRefusals(t *testing.T) {
	check := schemas(t)
	server := httptest.NewServer(&rdx.Issuer{})
	defer server.Close()
	played := map[string]bool{}
	for _, x := range recordRDX(t) {
		if played[x.call] {
			continue
		}
		played[x.call] = true
		for _, member := range required(t, x.call) {
			message := withMember(t, x.request, member, nil)
			response, err := http.Post(server.URL+"/v1/"+x.call, "application/json", bytes.NewReader(message))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s without %s: %d %s, %v", x.call, member, response.StatusCode, answer, err)
			}
			if err := check("refusal", answer); err != nil {
				t.Errorf("%s: %v", answer, err)
			}
		}
	}
}

// required returns the names of the members that a message must have.
func required(t *testing.T, name string) []string {
	t.Helper()
	var file struct {
		Defs map[string]struct{ Required []string } `json:"$defs"`
	}
	text, err := os.ReadFile(rdxSchema)
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil || len(file.Defs[name].Required) == 0 {
		t.Fatalf("%s has no required members: %v", name, err)
	}
	return file.Defs[name].Required
}

// withMember returns a message with another value of one member; nil removes it.
func withMember(t *testing.T, message []byte, name string, value any) []byte {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(message)))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if m[name] = value; value == nil {
		delete(m, name)
	}
	changed, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}
