package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOddForms (pitfall 15): absolute forms, TRACE, CONNECT and other hosts.
func TestOddForms(t *testing.T) {
	var app, partner seen
	in := start(t, ingress(serve(t, app.answer(200, `{}`)), "hosts: [api.example]", "sealing: optional"))
	out := start(t, egress(serve(t, partner.answer(200, `{}`)), `plain: ["GET /x"]`))
	for request, want := range map[string]string{
		"TRACE /x HTTP/1.1\r\nHost: HOST\r\n":                                       "405",
		"CONNECT /x HTTP/1.1\r\nHost: HOST\r\n":                                     "405",
		"CONNECT HOST:443 HTTP/1.1\r\nHost: HOST:443\r\n":                           "405",
		"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n":                                      "405",
		"GET /x HTTP/1.1\r\nHost: evil.example\r\n":                                 "421",
		"GET http://evil.example/x HTTP/1.1\r\nHost: HOST\r\n":                      "421",
		"GET /x HTTP/1.1\r\nHost: HOST.evil.example\r\n":                            "421",
		"GET /x HTTP/1.0\r\n":                                                       "421",
		"GET /x HTTP/1.1\r\nHost: HOST\r\nAuthorization: a\r\nauthorization: b\r\n": "400",
		"GET /x HTTP/1.1\r\nHost: HOST:99/evil\r\n":                                 "400",
		"GET /x HTTP/1.1\r\nHost: HOST?evil\r\n":                                    "400",
		"GET /x HTTP/1.1\r\nHost: evil@HOST\r\n":                                    "400",
		"GET /x HTTP/1.1\r\nHost: HOST:99\r\n":                                      "200",
		"GET http://HOST/x HTTP/1.1\r\nHost: evil.example\r\n":                      "200",
		"GET /x HTTP/1.1\r\nHost: host.\r\n":                                        "200",
	} {
		for name, g := range map[string]*running{"in": in, "out": out} {
			host := map[string]string{"in": "api.example", "out": "localhost"}[name]
			text := strings.ReplaceAll(request, "HOST", host)
			text = strings.ReplaceAll(text, "host.", strings.ToUpper(host)+".")
			a := raw(t, g.addresses[name], text+"Connection: close\r\n\r\n")
			if !strings.HasPrefix(a[strings.Index(a, " ")+1:], want) {
				t.Errorf("%s %q: %s, want %s", name, text, a, want)
			}
		}
	}
	if app.count() != 3 || partner.count() != 3 {
		t.Errorf("%d and %d requests arrived, not three each", app.count(), partner.count())
	}
	if p := postTo(t, out, "evil.example").problem(t); p.Status != 421 || !strings.Contains(p.Detail, "hosts") {
		t.Errorf("the 421 does not name the word: %+v", p)
	}
}

// postTo posts to a gateway under another host.
func postTo(t *testing.T, g *running, host string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), "POST", g.url("out")+"/api/evaluation", strings.NewReader(evaluation),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// TestAmbiguousPaths (pitfall 16): a path that programs read in different ways is refused on plain ways.
func TestAmbiguousPaths(t *testing.T) {
	var app, partner seen
	in := start(t, ingress(serve(t, app.answer(200, `{}`)), "sealing: optional"))
	issuer := start(t, issuerIngress(serve(t, app.answer(200, `{}`))))
	required := start(t, ingress(serve(t, app.answer(200, `{}`))))
	out := start(t, egress(serve(t, partner.answer(200, `{}`)), `plain: ["GET /api/{x}", "GET /{x}/{y}/{z}"]`))
	for _, path := range []string{
		"/api/a%2fb", "/api/a%2F..", "/api/%5c", "/api/a%5C", "/api/%2e%2e", "/api/%2E", "/api/a%00", "/api;/x",
		"/api/a;b=c",
		"//api", "/api//x", "/api/../x", "/api/./x", "/..", "/.", `/api\x`, "/api/a%3bb",
		"/api/%c0%ae%c0%ae", "/api/a%c0%af", "/api/%ff", "/api/\xff",
	} {
		for name, g := range map[string]*running{"in": in, "out": out} {
			if a := raw(t, g.addresses[name],
				"GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(
				a,
				"HTTP/1.1 400",
			) {
				t.Errorf("%s %s: %s", name, path, a)
			}
		}
		rest := " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
		for name, g := range map[string]*running{"issuer": issuer, "sealing required": required} {
			for _, method := range []string{"GET", "POST", "PUT"} {
				if a := raw(t, g.addresses["in"], method+rest); !strings.HasPrefix(a, "HTTP/1.1 400") {
					t.Errorf("%s %s %s: %s", name, method, path, a)
				}
			}
		}
	}
	if app.count()+partner.count() > 0 {
		t.Error("an ambiguous path arrived")
	}
}
