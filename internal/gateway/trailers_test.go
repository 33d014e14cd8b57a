package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTrailers: what may not come in a header may not come in a trailer either, whether it is announced or not. Of
// requests no trailer is passed on.
func TestTrailers(t *testing.T) {
	var app seen
	answer := func(w http.ResponseWriter, r *http.Request) {
		app.add(r)
		w.Header().Set("Trailer", "Sealane-Message, X-Kept")
		io.WriteString(w, "{}")
		http.NewResponseController(w).Flush() // then it has no length
		w.Header().Set("Sealane-Message", "verified")
		w.Header().Set("X-Kept", "kept")
		for _, name := range []string{
			"Sealane-Partner", "x_sealane_signer", "X-Forwarded-For", "Alt-Svc", "Forwarded",
		} {
			w.Header()[http.TrailerPrefix+name] = []string{"spoofed"}
		}
	}
	http2 := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	http2.EnableHTTP2 = true
	http2.StartTLS()
	defer http2.Close()
	for name, upstream := range map[string]string{
		"HTTP/1.1": serve(t, answer), "HTTP/2": "{url: \"" + http2.URL + "\", tls: {ca: ca.pem, name: example.com}}",
	} {
		const plain = `plain: ["POST /x"]`
		files := withFiles("ca.pem", pemOf(http2))
		in, out := start(t, ingress(upstream, plain), files), start(t, egress(upstream, plain), files)
		for side, url := range map[string]string{"ingress": in.url("in"), "egress": out.url("out")} {
			body := io.MultiReader(strings.NewReader("body")) // of no known length
			r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/x", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Trailer = http.Header{"Sealane-Partner": {"spoofed"}, "X-Sent": {"sent"}}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if a := readAnswer(t, response); a.status != 200 || a.body != "{}" {
				t.Errorf("%s, %s: %d %q", name, side, a.status, a.body)
			}
			if got := response.Trailer; len(got) != 1 || got.Get("X-Kept") != "kept" {
				t.Errorf("%s, %s: the trailers of the answer are %v", name, side, got)
			}
			if got, body := app.last(t); len(got.Trailer) != 0 || got.Header.Get("Trailer") != "" || body != "body" {
				t.Errorf("%s, %s: %q arrived, with the trailers %v", name, side, body, got.Trailer)
			}
		}
	}
}
