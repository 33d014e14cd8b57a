package sealhttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// Unopened is called with the message as it came, before the answer, where it could not be decrypted or verified, and
// for no other refusal.
func TestUnopened(t *testing.T) {
	lane := testlane.New(t, sealanetest.ProviderConfig())
	sealed := func(change func(*sealane.Config)) string {
		c := sealanetest.CustomerConfig()
		change(&c)
		token, err := testlane.New(t, c).Seal(t.Context(), []byte(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		return string(token)
	}
	other := testkey.RSA(t, "somebody else", 2048)
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"decryption": {
			sealed(func(c *sealane.Config) { c.Theirs = testkey.Theirs(t, "p", other) }), sealane.ErrDecryption,
		},
		"signature": {sealed(func(c *sealane.Config) { c.Ours = testkey.Ours(t, "c", other) }), sealane.ErrSignature},
		"no token":  {"a.b.c.d.e", nil},
		"opened":    {sealed(func(*sealane.Config) {}), nil},
	} {
		var messages []string
		w := httptest.NewRecorder()
		hooks := sealhttp.Hooks{Unopened: func(_ context.Context, l *sealane.Lane, message []byte, err error) {
			if l != lane || !errors.Is(err, c.want) || w.Body.Len() > 0 {
				t.Errorf("%s: %s: %v, after %d bytes of the answer", name, l.Name(), err, w.Body.Len())
			}
			messages = append(messages, string(message))
		}}
		body := `{"encrypted_request":"` + c.token + `"}`
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/evaluation", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		header, value, _ := lane.Profile().Trigger()
		r.Header.Set(header, value)
		h := sealhttp.Handler{
			Lane: sealhttp.OneLane(lane), Hooks: hooks,
			Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte(`{"eval_id":"1"}`))
			}),
		}
		h.ServeHTTP(w, r)
		w.Body.Reset()
		carried := sealhttp.Carried{Lane: lane, Bare: true, Hooks: hooks}
		if _, err := carried.Open(t.Context(), []byte(c.token)); (err == nil) != (name == "opened") {
			t.Errorf("%s: %v", name, err)
		}
		want := ""
		if c.want != nil {
			want = body + " " + c.token
		}
		if got := strings.Join(messages, " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
