package sealanetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

const evaluation = `{"id":"order-1","timestamp":"2026-03-04T12:00:00Z","workflow":"onboarding",` +
	`"data":{"individual":{"given_name":"Ada","family_name":"Accept"}}}`

// A test of a program that asks RiskOS for an evaluation. In a test, t is its
// *testing.T, and nothing has to be closed.
func ExampleNewProvider() {
	t := new(fakeTest)
	defer t.end()
	provider := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	client := provider.Client() // in place of the program's own

	response, err := client.Post(provider.URL+"/api/evaluation", "application/json", strings.NewReader(evaluation))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)

	provider.Fail(sealanetest.Fault(sealane.ErrDecryption))
	_, err = client.Post(provider.URL+"/api/evaluation", "application/json", strings.NewReader(evaluation))
	fmt.Println("refused:", errors.Is(err, sealane.ErrDecryption))

	for _, r := range provider.Requests() {
		fmt.Printf("%s %s, sealed: %t, status %d\n", r.Method, r.URL, r.Sealed, r.Status)
	}
	// Output:
	// 200 OK
	// refused: true
	// POST /api/evaluation, sealed: true, status 200
	// POST /api/evaluation, sealed: false, status 400
}

// A test of a program that sends RDX messages to an issuer.
func ExampleNewIssuer() {
	t := new(fakeTest)
	defer t.end()
	issuer := sealanetest.NewIssuer(t, sealanetest.IssuerOptions{})
	client := issuer.Client() // in place of the program's own

	const risk = `{"ProcessorId":"p","IssuerId":"i","MessageVersion":"2.2.0",` +
		`"TransactionId":"00ec043e-40b5-4ce4-95c2-9e83b644f412","MerchantInfo":{},"TransactionInfo":{}}`
	response, err := client.Post(issuer.URL+"/risk", "application/json", strings.NewReader(risk))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(response.Status, strings.Contains(string(answer), `"Status":"STEPUP"`))
	fmt.Println(string(issuer.Requests()[0].Payload) == risk)
	// Output:
	// 200 OK true
	// true
}

// A test of an issuer's server: VCAS sends it a message, then one that the server must refuse.
func ExampleNewVCAS() {
	t := new(fakeTest)
	defer t.end()
	lane, err := sealane.New(sealanetest.IssuerConfig())
	if err != nil {
		t.Fatal(err)
	}
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ ProcessorId, IssuerId, TransactionId, Status string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.Status = "SUCCESS"
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(m)
	})
	server := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane), Next: service, Log: slog.New(slog.DiscardHandler),
	})
	defer server.Close()

	vcas := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: server.URL})
	answer, err := vcas.Risk(context.Background())
	fmt.Println(answer.HTTPStatus, answer.Status, err)

	vcas.Fail(sealanetest.WrongKey)
	answer, err = vcas.Risk(context.Background())
	fmt.Println(answer.HTTPStatus, err != nil)
	// Output:
	// 200 SUCCESS <nil>
	// 405 true
}
