package command

import (
	"encoding/json"
	"encoding/xml"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// TestAllFaults tries every fault on the stand-ins of both profiles: as text, as JSON and as JUnit
// XML.
func TestAllFaults(t *testing.T) {
	dir := t.TempDir()
	provider := startSandbox(t, "riskos", "--dir", dir)
	call := []string{
		"call", "--profile", "riskos", "--env", "SANDBOX", "--api-key-file", filepath.Join(dir, "api-key"),
		"--key", filepath.Join(dir, "customer", "private", "customer-sandbox-example-sandbox.key"),
		"--to", filepath.Join(dir, "provider", "1-send", "provider-sandbox-example-sandbox.pem"),
		"POST", "http://" + provider + "/api/evaluation", `{"id":"r-1","timestamp":"2026-11-21T12:00:00Z",` +
			`"workflow":"w","data":{"individual":{"given_name":"A","family_name":"Accept"}}}`,
		"--all-faults",
	}
	key, certificate := sealanetest.IssuerKey().WriteFiles(t)
	id := sealanetest.IssuerKeyID
	issuer := startSandbox(
		t,
		"issuer",
		"--key",
		key,
		"--key-id",
		id,
		"--caller",
		"unauthenticated",
		"--otp",
		"123456",
	)
	vcas := []string{
		"sandbox",
		"vcas",
		"--url",
		"http://" + issuer + "/rdx/v1",
		"--to",
		certificate,
		"--to-key-id",
		id,
	}

	for name, args := range map[string][]string{"riskos": call, "rdx": append(slices.Clone(vcas), "--all-faults")} {
		file := filepath.Join(t.TempDir(), "results.xml")
		var out, errors strings.Builder
		args = append(slices.Clone(args), "--json", "--junit", file)
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errors); code != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", name, code, out.String(), errors.String())
		}
		var results []conformance.Result
		if err := json.Unmarshal([]byte(out.String()), &results); err != nil || len(results) < 40 {
			t.Errorf("%s: %v, %d results", name, err, len(results))
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite junitSuite
		if err := xml.Unmarshal(data, &suite); err != nil || suite.Tests != len(results) ||
			len(suite.Cases) != len(results) || suite.Failures != 0 {
			t.Errorf("%s: %v, %+v", name, err, suite)
		}
	}

	// The challenge with a passcode that the script knows, its messages shown.
	var out, errors strings.Builder
	args := append(slices.Clone(vcas), "--otp", "123456", "--verbose")
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errors); code != 0 ||
		!strings.Contains(errors.String(), `> {"ProcessorId":`) ||
		!strings.Contains(errors.String(), `"Status":"SUCCESS"`) {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errors.String())
	}
	// A wrong passcode ends with FAILURE, and a refusal of a fault is right.
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--otp", "000000"}, exitPartner, "the challenge ended with FAILURE"},
		{[]string{"--fault", "wrong-key"}, 0, "refused, as the profile says"},
		{[]string{"--fault", "nonsense"}, exitUsage, `--fault "nonsense" is not known: give wrong-key,`},
		{[]string{"--junit", "x.xml"}, exitUsage, "need --all-faults"},
	} {
		var out, errors strings.Builder
		code := run(t.Context(), append(slices.Clone(vcas), c.args...), strings.NewReader(""), &out, &errors)
		if code != c.code || !strings.Contains(out.String()+errors.String(), c.says) {
			t.Errorf("%q: exit code %d\n%s%s", c.args, code, out.String(), errors.String())
		}
	}
}

// TestAllFaultsOfAWrongServer: a server that accepts everything fails, with the exit code 4.
func TestAllFaultsOfAWrongServer(t *testing.T) {
	lane := testlane.New(t, sealanetest.IssuerConfig())
	issuer := &sealhttp.Handler{
		Lane: sealhttp.OneLane(lane), Next: &rdx.Issuer{}, Log: slog.New(slog.DiscardHandler),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		issuer.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	_, certificate := sealanetest.IssuerKey().WriteFiles(t)
	var out, errors strings.Builder
	args := []string{
		"sandbox", "vcas", "--url", server.URL + "/v1", "--to", certificate, "--to-key-id", sealanetest.IssuerKeyID,
		"--all-faults",
	}
	code := run(t.Context(), args, strings.NewReader(""), &out, &errors)
	if code != exitPartner || !strings.Contains(out.String(), "failed   wrong-key") ||
		!strings.Contains(errors.String(), "does not follow the profile") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errors.String())
	}
}
