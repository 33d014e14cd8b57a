package sealhttp_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// TestLevelsOfRefusals: the partner's errors are warnings, ours are errors.
func TestLevelsOfRefusals(t *testing.T) {
	broken := func(c *sealane.Config) {
		c.Ours = testkey.Ours(t, "provider", deaf{mute{testkey.RSA(t, "provider", 2048)}})
	}
	cannotSign := func(c *sealane.Config) {
		c.Ours = testkey.Ours(t, "provider", mute{testkey.RSA(t, "provider", 2048)})
	}
	good := wrapped(t, customer(t), `{}`)
	for _, c := range []struct {
		body   string
		change func(*sealane.Config)
		status int
		level  string
	}{
		{`{}`, func(*sealane.Config) {}, 400, "WARN"},
		{good, func(c *sealane.Config) { c.Theirs = nil }, 400, "WARN"},
		{good, cannotSign, 500, "ERROR"},
		{good, broken, 503, "ERROR"},
	} {
		s := provider(t, echo, c.change)
		answer, _ := raw(t, s.URL+"/api/evaluation", c.body, "X-Payload-Encrypted", "true")
		if answer.StatusCode != c.status {
			t.Errorf("%d, want %d", answer.StatusCode, c.status)
		}
		if later := answer.Header.Get("Retry-After") != ""; later != (c.status == 503) {
			t.Errorf("%d with Retry-After %q", c.status, answer.Header.Get("Retry-After"))
		}
		line := fmt.Sprintf(`^.* level=%s msg="message refused" .* status=%d .*\n$`, c.level, c.status)
		if log := s.logged(); !regexp.MustCompile(line).MatchString(log) {
			t.Errorf("log of a %d: %s", c.status, log)
		}
	}
}

// TestPathInTheLog: the variables of a path are identifiers of persons or transactions. The
// log has the path as in the profile.
func TestPathInTheLog(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"PATCH", "/api/evaluation/SECRET-1", "/api/evaluation/{eval_id}"},
		{"PATCH", "/api/docv/upload/SECRET-1", "/api/docv/upload/{docv_transaction_token}"},
		{"POST", "/api/evaluation", "/api/evaluation"},
		{"POST", "/api/other", "/api/other"},
		{"POST", "/api/other/SECRET", "/api/other/…"},
		{"PATCH", "/api/docv/upload/SECRET/", "/api/docv/…"},
	} {
		s := provider(t, echo)
		r := request(t, c.method, s.URL+c.path, `{}`)
		r.Header.Set("X-Payload-Encrypted", "true")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		log := s.logged()
		if answer.StatusCode != 400 || !strings.Contains(log, "path="+c.want+" ") || strings.Contains(log, "SECRET") {
			t.Errorf("%s %s: %d, log: %s", c.method, c.path, answer.StatusCode, log)
		}
	}
	// RDX accepts every path, so the profile has nothing to show.
	const id = "1234-PKE-ACS-Client-2048SHA2-STAG"
	s := logging(t, testlane.New(t, sealane.Config{Profile: testlane.Profile(t, "rdx"), Side: sealane.ServerSide,
		SenderAuth: sealane.SenderOAuth2, Ours: testkey.Ours(t, id, testkey.RSA(t, "issuer", 2048))}), nil)
	raw(t, s.URL+"/v1/risk", `{}`)
	if log := s.logged(); !strings.Contains(log, "path=/v1/risk ") {
		t.Errorf("log: %s", log)
	}
}

// logging serves echo on a lane.
func logging(t *testing.T, lane *sealane.Lane, newID func() string) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(&sealhttp.Handler{Lane: sealhttp.OneLane(lane), Next: http.HandlerFunc(echo),
		NewID: newID, Log: slog.New(slog.NewTextHandler(s, nil))})
	t.Cleanup(s.Close)
	return s
}

// TestIdentifiersOfRefusals: the partner and the operator see the same identifier, which
// the application may choose.
func TestIdentifiersOfRefusals(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	n := 0
	own := func() string { n++; return fmt.Sprint("own-", n) }
	for name, newID := range map[string]func() string{"own": own, "default": nil} {
		s := logging(t, lane, newID)
		form := regexp.MustCompile(`^own-\d$`)
		if newID == nil {
			form = regexp.MustCompile("^" + uuidForm.String() + "$")
		}
		seen := map[string]bool{}
		for range 3 {
			_, body := raw(t, s.URL+"/api/evaluation", `{}`, "X-Payload-Encrypted", "true")
			id, _ := errorBody(t, body)
			if seen[id] || !form.MatchString(id) {
				t.Errorf("%s: identifier %q", name, id)
			}
			seen[id] = true
		}
		log := s.logged()
		for id := range seen {
			if !strings.Contains(log, " id="+id+" ") {
				t.Errorf("%s: %q is not in the log: %s", name, id, log)
			}
		}
	}
}

// records passes on the records that are logged.
type records struct {
	slog.Handler
	all chan slog.Record
}

func (records) Enabled(context.Context, slog.Level) bool { return true }

func (r records) Handle(_ context.Context, record slog.Record) error {
	r.all <- record
	return nil
}

// TestClientGone: the context tells the service. That nobody reads the answer is not an
// error of ours.
func TestClientGone(t *testing.T) {
	lane, entered, log := testlane.New(t, config(t, sealane.ServerSide)), make(chan bool), make(chan slog.Record, 1)
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
				t.Error("the service does not learn that the client is gone")
			}
			io.WriteString(w, `{}`)
		}),
		Log: slog.New(records{slog.DiscardHandler, log}),
	})
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	r := request(t, "POST", s.URL+"/api/evaluation", wrapped(t, customer(t), `{}`)).WithContext(ctx)
	r.Header.Set("X-Payload-Encrypted", "true")
	if answer, err := http.DefaultClient.Do(r); err == nil {
		t.Errorf("answered %d", answer.StatusCode)
	}
	select {
	case got := <-log:
		if got.Level != slog.LevelDebug || got.Message != "message refused" {
			t.Errorf("logged: %v %s", got.Level, got.Message)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing is logged")
	}
}
