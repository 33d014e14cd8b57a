package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// applications are programs behind a gateway, which print their URL.
var applications = []struct {
	name string
	in   language
	args []string
}{
	{"Flask on wsgiref", python, []string{"app", "wsgiref"}},
	{"Flask on waitress", python, []string{"app", "waitress"}},
	{"Flask on gunicorn", python, []string{"app", "gunicorn"}}, {"Express", node, []string{"app"}},
}

// seenByApplication is the answer of an application.
type seenByApplication struct {
	Route, Path string
	Headers     map[string]string
}

// exchangeRaw sends the bytes of a request, and returns the answer.
func exchangeRaw(t *testing.T, address, request string) (status int, body []byte) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, request)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// spellings are the ways to write a header's name that an application could take for the same.
func spellings(name string) []string {
	under := strings.ReplaceAll(name, "-", "_")
	first := strings.Replace(name, "-", "_", 1)
	all := []string{name, strings.ToLower(name), strings.ToUpper(name), under, strings.ToLower(under),
		strings.ToUpper(under), first, strings.ToLower(first)}
	return append(all, strings.ReplaceAll(name, "-", "."), strings.ReplaceAll(name, "-", "~"))
}

// TestApplicationHeaders (pitfall 2): an application in Python or Node takes nothing that a client sent for what the
// gateway says, in any spelling: WSGI does not tell X_Sealane_Partner from X-Sealane-Partner.
func TestApplicationHeaders(t *testing.T) {
	t.Parallel()
	customer := testlane.New(t, sealanetest.CustomerConfig())
	token, err := customer.Seal(t.Context(), []byte(`{"id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	sealed := `{"encrypted_request":"` + string(token) + `"}`
	var spoofed strings.Builder
	for _, name := range []string{
		"Sealane-Partner", "Sealane-Environment", "Sealane-Message", "Sealane-Signer", "Sealane-Request-Id",
		"X-Sealane-Partner", "X-Tenant", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-User", "X-Real-Ip", "Forwarded", "Proxy-Connection",
	} {
		for _, spelling := range spellings(name) {
			fmt.Fprintf(&spoofed, "%s: spoofed\r\n", spelling)
		}
	}
	for _, app := range applications {
		t.Run(app.name, func(t *testing.T) {
			upstream := launch(t, foreign(limited(t), t, app.in, app.args[0], app.args[1:]...)).url(t)
			address := runGateway(t, fmt.Sprintf(`{name: in, ingress: riskos, environment: SANDBOX, `+
				`partner: acme, listen: "127.0.0.1:0", caller: unauthenticated, identity_header: X-Tenant, `+
				`plain: ["GET /public/{x}"], keys: {ours: provider.key, theirs: customer.cer}, upstream: %q}`,
				upstream))
			for _, c := range []struct{ method, path, headers, body, message string }{
				{"POST", "/api/evaluation", "X-Payload-Encrypted: true\r\nx_payload_encrypted: spoofed\r\n", sealed,
					"verified"},
				{"GET", "/public/x", "X_Payload_Encrypted: spoofed\r\n", "", "plain"},
			} {
				status, body := exchangeRaw(t, address, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n"+
					"Connection: close, Sealane-Partner, X-Tenant, Sealane-Message\r\n%s%s"+
					"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					c.method, c.path, spoofed.String(), c.headers, len(c.body), c.body))
				if status != 200 {
					t.Fatalf("%d %s", status, body)
				}
				if c.body != "" {
					var answer struct {
						Token string `json:"encrypted_response"`
					}
					if err := json.Unmarshal(body, &answer); err != nil {
						t.Fatal(err)
					}
					m, err := customer.Open(t.Context(), []byte(answer.Token))
					if err != nil {
						t.Fatal(err)
					}
					body = m.Payload()
				}
				var seen seenByApplication
				if err := json.Unmarshal(body, &seen); err != nil {
					t.Fatal(err)
				}
				plain := map[string]string{} // by the name as Node has it
				for name, value := range seen.Headers {
					plain[strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "HTTP_")), "_", "-")] = value
					if strings.Contains(value, "spoofed") {
						t.Errorf("%s: the application sees %s: %s", c.message, name, value)
					}
				}
				if plain["sealane-partner"] != "acme" || plain["x-tenant"] != "acme" ||
					plain["sealane-message"] != c.message {
					t.Errorf("%s: %v", c.message, plain)
				}
			}
		})
	}
}

// oddPaths are paths that programs read in different ways. Each asks for something that is not public.
var oddPaths = []string{
	"/public/../api/evaluation", "/public/..%2fapi/evaluation", "/public/..%2Fapi%2Fevaluation",
	"/public%2f..%2fapi/evaluation", "/public/%2e%2e/api/evaluation", "/public/.%2e/api/evaluation",
	"/public/..;/api/evaluation", "/public;/../api/evaluation", "/public/x;/../../api/evaluation",
	"/public\\..\\api\\evaluation", "/public/..\\api/evaluation", "/public/%5c..%5capi/evaluation",
	"/public//api/evaluation", "//api/evaluation", "//public/x", "/public/./x", "/public/.", "/public/..",
	"/api/evaluation%00/public/x", "/public/x%00", "/public/%252e%252e/api/evaluation", "/public/%252e%252e",
	"/public/..%252fapi", "/public/%c0%ae%c0%ae", "/public/%c0%af..", "/public/%e0%80%af", "/public/%ef%bc%8f",
	"/public/%u002e%u002e", "/public/x%0d%0aX:%20y", "/public/x%0a", "/public/%09", "/public/%20", "/public/x%20",
	"/public/x%3f", "/public/x%23", "/public/x%26", "/public/x%25", "/public/%", "/public/%zz", "/public/%ff",
	"/public/x/", "/public/", "/public", "/PUBLIC/x", "/Public/x", "/public/x.json", "/public/x:y", "/public/@x",
	"/public/x,y", "/public/x=y", "/public/~x", "/public/!", "/public/*", "/public/'x'", "/public/(x)", "/public/x+y",
	"/public/%78", "/%70ublic/x", "/pub%6Cic/%78", "/public/\u00fc", "/public/%C3%BC",
	"/api/evaluation", "/API/evaluation", "/api/evaluation/", "/api/evaluation;x", "/api/evaluation%3bx",
	"/x/public/x", "/public/x%2f", "/public/%2fx",
}

// TestPathViews (pitfall 16): a path that a plain route lets pass is the same for the application, in both directions.
func TestPathViews(t *testing.T) {
	t.Parallel()
	for _, app := range applications {
		t.Run(app.name, func(t *testing.T) {
			upstream := launch(t, foreign(limited(t), t, app.in, app.args[0], app.args[1:]...)).url(t)
			const plain = `plain: ["GET /public/{x}"]`
			for side, address := range map[string]string{
				"ingress": runGateway(t, fmt.Sprintf(`{name: in, ingress: riskos, environment: SANDBOX, `+
					`partner: acme, listen: "127.0.0.1:0", caller: unauthenticated, %s, `+
					`keys: {ours: provider.key, theirs: customer.cer}, upstream: %q}`, plain, upstream)),
				"egress": runGateway(t, fmt.Sprintf(`{name: out, egress: riskos, environment: SANDBOX, %s, `+
					`listen: "127.0.0.1:0", keys: {ours: customer.key, theirs: provider.cer}, upstream: %q}`,
					plain, upstream)),
			} {
				passed := 0
				for _, path := range oddPaths {
					status, body := exchangeRaw(t, address,
						"GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
					if status != 200 {
						continue
					}
					passed++
					var seen seenByApplication
					if err := json.Unmarshal(body, &seen); err != nil {
						t.Errorf("%s %s: %s", side, path, body)
						continue
					}
					decoded, err := url.PathUnescape(path)
					again, _ := url.PathUnescape(seen.Path)
					if err != nil || seen.Route != "public" || seen.Path != decoded && again != decoded {
						t.Errorf("%s %s: the application sees %s, route %s", side, path, seen.Path, seen.Route)
					}
				}
				if passed < 10 {
					t.Errorf("%s: only %d paths passed", side, passed)
				}
			}
		})
	}
}
