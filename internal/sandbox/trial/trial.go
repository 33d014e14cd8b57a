// Package trial plays both sides of a profile on this machine, with keys of its own, and
// shows what goes over the wire.
package trial

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// trial is a run of one profile.
type trial struct {
	p              *profile.Profile
	w              io.Writer
	client, server *rsa.PrivateKey
	ours           *sealane.Lane // the client's side
	handler        *sealhttp.Handler
	reply          []byte // of the server's service
}

// Run sends a message to every endpoint of the profile and back, and then a message with
// every fault, and writes what was sent and answered to w. The error says what does not
// work.
func Run(ctx context.Context, p *profile.Profile, w io.Writer) error {
	t := &trial{p: p, w: w}
	if err := t.lanes(); err != nil {
		return err
	}
	for _, e := range p.Endpoints {
		if err := t.endpoint(ctx, e); err != nil {
			return fmt.Errorf("%s %s: %w", e.Method, e.Path, err)
		}
	}
	t.errors()
	return t.faults(ctx)
}

// lanes makes the keys and both ends of the lane.
func (t *trial) lanes() (err error) {
	if t.client, err = rsa.GenerateKey(rand.Reader, t.p.Keys.Bits); err != nil {
		return err
	}
	if t.server, err = rsa.GenerateKey(rand.Reader, t.p.Keys.Bits); err != nil {
		return err
	}
	config := sealane.Config{Profile: t.p, Environment: t.p.Environments[0], Partner: "trial"}
	ours, theirs, err := sandbox.Ends(config, sandbox.End{Key: t.client, ID: t.keyID("client")},
		sandbox.End{Key: t.server, ID: t.keyID("server")})
	if err != nil {
		return err
	}
	t.ours = ours
	t.handler = &sealhttp.Handler{
		Lane: sealhttp.OneLane(theirs), Log: slog.New(slog.DiscardHandler),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if body, err := io.ReadAll(r.Body); err != nil || !json.Valid(body) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Write(t.reply)
		}),
	}
	return nil
}

// keyID returns the key ID of a side in the profile's format.
func (t *trial) keyID(side string) string {
	if t.p.Certificate.KeyIDFormat != cert.KeyIDSixPart {
		return side + "-key"
	}
	return fmt.Sprintf("trial-PKE-ACS-%s-%dSHA2-%s", side, t.p.Keys.Bits, t.p.Environments[0])
}

var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// endpoint sends a message to an endpoint, and writes both of its messages.
func (t *trial) endpoint(ctx context.Context, e profile.Endpoint) error {
	path := pathVariable.ReplaceAllStringFunc(e.Path, func(v string) string { return strings.Trim(v, "{}") + "-1" })
	if path == profile.Any {
		path = "/any"
	}
	request, reply := map[string]string{"text": "request"}, map[string]string{"text": "response"}
	for _, name := range e.Echo {
		request[name], reply[name] = name+"-1", name+"-1"
	}
	for _, name := range e.Bind {
		reply[name] = name + "-1"
	}
	if e.Identifier != "" && reply[e.Identifier] == "" {
		reply[e.Identifier] = e.Identifier + "-1"
	}
	payload, _ := json.Marshal(request) // strings can always be marshaled
	t.reply, _ = json.Marshal(reply)
	r, err := http.NewRequestWithContext(ctx, e.Method, "http://server.example"+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	wire := &tap{base: sandbox.HandlerTransport{Handler: t.handler}}
	answer, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(t.ours), Base: wire}).RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, t.reply) {
		return fmt.Errorf("%s came back as %s", t.reply, got)
	}
	fmt.Fprintf(t.w, "%s %s\n", e.Method, path)
	t.message(wire.request, wire.sent, payload, t.server, t.client)
	fmt.Fprintf(t.w, "\n%d\n", answer.StatusCode)
	t.message(wire.response, wire.received, t.reply, t.client, t.server)
	fmt.Fprintln(t.w)
	return nil
}

// tap keeps what goes over the wire.
type tap struct {
	base              http.RoundTripper
	request, response http.Header
	sent, received    []byte
}

// RoundTrip keeps the request and the response.
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	if t.sent, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	t.request, r.Body = r.Header.Clone(), io.NopCloser(bytes.NewReader(t.sent))
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.received, err = io.ReadAll(answer.Body)
	t.response, answer.Body = answer.Header.Clone(), io.NopCloser(bytes.NewReader(t.received))
	return answer, err
}

// message writes a message: its headers, its body without the token, the headers of both
// tokens, and the payload.
func (t *trial) message(h http.Header, body, payload []byte, opens, signs *rsa.PrivateKey) {
	names := []string{"Content-Type"}
	if t.p.Trigger != nil {
		names = append(names, http.CanonicalHeaderKey(t.p.Trigger.Header))
	}
	for _, name := range names {
		if value := h.Get(name); value != "" {
			fmt.Fprintf(t.w, "  %s: %s\n", name, value)
		}
	}
	report := inspect.Examine(body, inspect.Options{
		Profiles: []*profile.Profile{t.p},
		Ours:     []inspect.Key{{Name: "the recipient's", Private: opens}},
		Theirs:   []inspect.Key{{Name: "the sender's", Public: &signs.PublicKey}},
	})
	shown := string(body)
	if token := tokenForm.FindString(shown); token != "" {
		shown = strings.Replace(shown, token, fmt.Sprintf("<token of %d characters>", len(token)), 1)
	}
	fmt.Fprintf(t.w, "  body     %s\n", shown)
	for _, token := range []*inspect.Token{report.Outer, report.Inner} {
		if token != nil {
			fmt.Fprintf(t.w, "  %s      %s\n", token.Kind, headerOf(token))
		}
	}
	if report.Outer != nil {
		fmt.Fprintf(t.w, "  payload  %s\n", payload)
	}
}

// tokenForm is a compact serialization with at least two dots.
var tokenForm = regexp.MustCompile(`[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){2,4}`)

// headerOf returns the members of a token's header.
func headerOf(token *inspect.Token) string {
	var members []string
	for _, m := range token.Members {
		members = append(members, m.Name+" "+m.Value)
	}
	return strings.Join(members, ", ")
}

// errors writes how each outcome is answered.
func (t *trial) errors() {
	fmt.Fprintln(t.w, "Errors")
	for _, on := range profile.TableOutcomes() {
		if row, ok := t.p.Errors.Row(on); ok {
			fmt.Fprintf(t.w, "  %-15s %d %s\n", string(on), row.Status, t.p.Errors.Render("…", row.Text))
		}
	}
}

// faults has the server refuse a message with every fault.
func (t *trial) faults(ctx context.Context) error {
	e := t.p.Endpoints[0]
	path := pathVariable.ReplaceAllString(strings.Replace(e.Path, profile.Any, "/any", 1), "x-1")
	t.reply = []byte(`{}`)
	if e.Identifier != "" {
		t.reply, _ = json.Marshal(map[string]string{e.Identifier: "x-1"})
	}
	check := &conformance.Check{
		Lane: t.ours, Base: sandbox.HandlerTransport{Handler: t.handler},
		Send: func(ctx context.Context, rt http.RoundTripper) error {
			r, err := http.NewRequestWithContext(
				ctx,
				e.Method,
				"http://server.example"+path,
				strings.NewReader(`{}`),
			)
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/json")
			answer, err := rt.RoundTrip(r)
			if err == nil {
				answer.Body.Close()
			}
			return err
		},
	}
	if t.p.Request.Sign != nil {
		check.Signer = t.client
	}
	results, err := check.Run(ctx)
	if err != nil {
		return err
	}
	wrong := slices.DeleteFunc(
		slices.Clone(results),
		func(r conformance.Result) bool { return r.Verdict == conformance.OK },
	)
	for _, r := range wrong {
		fmt.Fprintf(t.w, "  %s: %s, want %s\n", r.Fault, r.Got, r.Want)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d messages with a fault have another answer than the profile says", len(wrong))
	}
	fmt.Fprintf(t.w, "\n%d malformed and good messages have the answers that the profile says.\n", len(results))
	return nil
}
