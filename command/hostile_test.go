package command

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// TestHostileCorpus passes every message of the corpus to Lane.OpenMessage, to
// sealhttp.Handler over HTTP, to sealane open, and to inspect. Nothing opens, each
// reader says no more than it may, and the answers to all failed decryptions are the
// same bytes.
func TestHostileCorpus(t *testing.T) {
	corpus, err := hostile.Read("../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	if len(corpus.Cases) < 200 {
		t.Fatalf("the corpus has %d messages", len(corpus.Cases))
	}
	g := newCorpusTest(t, corpus)
	t.Run("case", func(t *testing.T) {
		for _, c := range corpus.Cases {
			t.Run(c.Path, func(t *testing.T) {
				t.Parallel()
				g.run(t, c)
			})
		}
	})
	g.conclude(t)
}

// corpusTest has the keys that open the corpus, and collects what all cases together
// show.
type corpusTest struct {
	corpus                   *hostile.Corpus
	recipient, signer, other *rsa.PrivateKey
	signerFile               string // the signer's public key, as sealane open takes it

	mu      sync.Mutex
	rows    map[string]*corpusRow
	misses  []string
	answers map[string]map[string][]string // profile → answer to a decryption that failed → cases
}

type corpusRow struct{ files, lane, handler, command, inspect, inspectRan int }

func (r *corpusRow) add(o corpusRow) {
	r.files, r.lane, r.handler = r.files+o.files, r.lane+o.lane, r.handler+o.handler
	r.command, r.inspect, r.inspectRan = r.command+o.command, r.inspect+o.inspect, r.inspectRan+o.inspectRan
}

func newCorpusTest(t *testing.T, corpus *hostile.Corpus) *corpusTest {
	t.Helper()
	g := &corpusTest{corpus: corpus, rows: map[string]*corpusRow{}, answers: map[string]map[string][]string{}}
	for name, key := range map[string]**rsa.PrivateKey{
		"recipient": &g.recipient, "signer": &g.signer, "other": &g.other,
	} {
		var err error
		if *key, err = corpus.Key(name); err != nil {
			t.Fatal(err)
		}
	}
	jwk, err := keyfile.EncodeJWK(&g.signer.PublicKey, keyfile.JWKParams{KeyID: hostile.TheirKeyID})
	if err != nil {
		t.Fatal(err)
	}
	g.signerFile = filepath.Join(t.TempDir(), "signer.jwk")
	if err := os.WriteFile(g.signerFile, jwk, 0o644); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *corpusTest) run(t *testing.T, c hostile.Case) {
	lane := g.lane(t, c)
	message := c.Kind() != "http" && c.Kind() != "body"
	row := corpusRow{files: 1}
	if message {
		g.throughLane(t, c, lane)
		row.lane++
	}
	g.throughHandler(t, c, lane)
	row.handler++
	if message || c.Kind() == "body" {
		g.throughCommand(t, c)
		row.command++
	}
	if c.Kind() != "http" {
		row.inspectRan++
		if g.toInspect(t, c, lane) {
			row.inspect++
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := g.rows[c.Kind()]
	if sum == nil {
		sum = &corpusRow{}
		g.rows[c.Kind()] = sum
	}
	sum.add(row)
}

func (g *corpusTest) lane(t *testing.T, c hostile.Case) *sealane.Lane {
	t.Helper()
	p, err := g.corpus.LoadProfile(c.Profile)
	if err != nil {
		t.Fatal(err)
	}
	config := sealane.Config{
		Partner: "hostile", Profile: p, Side: sealane.ServerSide, MaxPayload: c.MaxPayload,
		Ours: testkey.Ours(t, hostile.OurKeyID, g.recipient), Theirs: testkey.Theirs(t, hostile.TheirKeyID, g.signer),
	}
	if p.Request.Sign == nil {
		config.SenderAuth = sealane.SenderUnauthenticated
	}
	if c.AcceptRSAOAEP {
		config.AcceptRSAOAEP = "the corpus says so"
	}
	lane, err := sealane.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

func (g *corpusTest) throughLane(t *testing.T, c hostile.Case, lane *sealane.Lane) {
	m, err := lane.OpenMessage(context.Background(), c.Content)
	if m != nil || !errors.Is(err, c.Outcome) || sealane.FaultOf(err) != c.Opener {
		t.Errorf("Lane.OpenMessage: %v, fault %q, %v; want %s [%s]", m, sealane.FaultOf(err), err, c.Outcome, c.Opener)
	}
}

var changing = regexp.MustCompile(`(?m)^Date: .*$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func (g *corpusTest) throughHandler(t *testing.T, c hostile.Case, lane *sealane.Lane) {
	var log bytes.Buffer
	server := httptest.NewServer(&sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the service was called") }),
		Log:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	request := c.Content
	if c.Kind() != "http" {
		request = g.request(t, c, lane)
	}
	answer := overTCP(t, server.Listener.Addr().String(), request, c.Fault == "http.body-unreadable")
	server.Close() // ends the handler, and with it the log
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	wantStatus, wantText, ok := lane.Profile().ErrorRow(c.Outcome)
	text, _ := json.Marshal(wantText)
	_, status, _ := strings.Cut(head, " ")
	if !ok || !strings.HasPrefix(status, fmt.Sprint(wantStatus, " ")) || !strings.Contains(body, string(text)) {
		t.Errorf("Handler: %q, want %d %q", answer, wantStatus, wantText)
	}
	says := c.Opener
	if c.Outcome == profile.TooLarge {
		says = fault.BodyTooLarge // the handler does not read it to its end
	}
	if !strings.Contains(log.String(), " fault="+string(says)+" ") {
		t.Errorf("the operator reads %q, want fault=%s", log.String(), says)
	}
	if c.Outcome != profile.Decryption {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	name := lane.Profile().Name()
	if g.answers[name] == nil {
		g.answers[name] = map[string][]string{}
	}
	masked := changing.ReplaceAllString(answer, "*")
	g.answers[name][masked] = append(g.answers[name][masked], c.Path)
}

// request returns a correct request with a message, or a body.
func (g *corpusTest) request(t *testing.T, c hostile.Case, lane *sealane.Lane) []byte {
	form, path, trigger := lane.Inbound(), "/message", ""
	if header, value, ok := lane.Profile().Trigger(); ok {
		path, trigger = "/api/evaluation", header+": "+value+"\r\n"
	}
	body := c.Content
	if c.Kind() != "body" && form.Field() != "" {
		var err error
		if body, err = json.Marshal(map[string]string{form.Field(): string(c.Content)}); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: provider.example\r\nConnection: close\r\n"+
		"Content-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s", path, form.ContentType(), trigger, len(body), body)
}

// overTCP writes a request as it is, and returns the answer as it is. With cutShort, it
// closes its side of the connection after the request.
func overTCP(t *testing.T, address string, request []byte, cutShort bool) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		t.Logf("the server has answered before the whole request was written: %v", err)
	}
	if cutShort { // otherwise the server would take the client for gone
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}

// moreInFiles are messages that sealane open accepts from a file, although no handler
// accepts them over HTTP.
var moreInFiles = map[string]bool{
	"body/body.bare-token.riskos":              true, // people mostly have the token alone
	"body/body.member-missing.of-the-response": true, // it accepts requests and answers
	"body/body.too-large.blanks":               true, // its limit is 64 MiB
	"token/jwe.too-large.payload":              true, // the same
}

func (g *corpusTest) throughCommand(t *testing.T, c hostile.Case) {
	dir := t.TempDir()
	file := filepath.Join(dir, "message")
	if err := os.WriteFile(file, c.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	profileArg, err := g.corpus.ProfileArg(dir, c.Profile)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{
		"open", "--profile", profileArg, "--key", g.corpus.KeyFile("recipient"), "--key-id", hostile.OurKeyID,
		"--from", g.signerFile,
	}
	if c.Profile == "rdx" {
		args = append(args, "--caller", string(sealane.SenderUnauthenticated))
	}
	if c.AcceptRSAOAEP {
		args = append(args, "--accept-rsa-oaep", "the corpus says so")
	}
	var out, said bytes.Buffer
	code := run(t.Context(), append(args, file), strings.NewReader(""), &out, &said) // what main calls
	if moreInFiles[c.Path] {
		if code != 0 || !bytes.HasPrefix(out.Bytes(), []byte(`{"id":"hostile-1"`)) {
			t.Errorf("sealane open: exit code %d, %d bytes of output, %s; want the payload",
				code, out.Len(), said.String())
		}
		return
	}
	if code != exitRefused || out.Len() > 0 {
		t.Errorf("sealane open: exit code %d, %d bytes of output, %s", code, out.Len(), said.String())
	}
	// The command's limit is larger than the case's, and its bodies may be looser.
	if c.MaxPayload == 0 && c.Kind() != "body" && !strings.Contains(said.String(), "["+string(c.Opener)+"]") {
		t.Errorf("sealane open says %s, want [%s]", said.String(), c.Opener)
	}
}

// toInspect reports whether inspect names the fault exactly.
func (g *corpusTest) toInspect(t *testing.T, c hostile.Case, lane *sealane.Lane) bool {
	options := inspect.Options{
		Profiles: []*profile.Profile{lane.Profile().Profile()}, AcceptRSAOAEP: c.AcceptRSAOAEP,
		Ours: []inspect.Key{
			{Name: "ours.key", ID: hostile.OurKeyID, Environment: "STAG", Private: g.recipient},
			{Name: "other.key", ID: hostile.OtherKeyID, Environment: "PROD", Private: g.other},
		},
		Theirs: []inspect.Key{
			{Name: "signer.jwk", ID: hostile.TheirKeyID, Public: &g.signer.PublicKey},
			{Name: "stranger.jwk", ID: hostile.OtherKeyID, Public: &g.other.PublicKey},
		},
	}
	if c.MaxPayload != 0 {
		options.MaxToken = lane.MaxToken()
	}
	report := inspect.Examine(c.Content, options)
	if report.Fault == c.Fault {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.misses = append(g.misses, fmt.Sprintf("%s is named %q", c.Path, report.Fault))
	return false
}

// conclude prints the table, and checks what only all cases together show.
func (g *corpusTest) conclude(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "kind\tfiles\tLane\tHandler\tsealane open\tinspect, exact")
	files, hits, ran := 0, 0, 0
	for _, kind := range hostile.Kinds {
		if r := g.rows[kind]; r != nil {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d of %d\n",
				kind, r.files, r.lane, r.handler, r.command, r.inspect, r.inspectRan)
			files, hits, ran = files+r.files, hits+r.inspect, ran+r.inspectRan
		}
	}
	w.Flush()
	for path := range moreInFiles {
		if !slices.ContainsFunc(g.corpus.Cases, func(c hostile.Case) bool { return c.Path == path }) {
			t.Errorf("%s should be accepted from a file, and is not in the corpus", path)
		}
	}
	slices.Sort(g.misses)
	t.Logf("%d files\n%s\n%d misses of inspect\n%s", files, b.String(), len(g.misses), strings.Join(g.misses, "\n"))
	if hits*100 < ran*90 {
		t.Errorf("inspect names %d of %d faults exactly, less than 90 %%", hits, ran)
	}
	for _, name := range []string{"riskos", "rdx"} {
		if len(g.answers[name]) != 1 {
			t.Errorf("%s: %d answers to failed decryptions, not one:", name, len(g.answers[name]))
			for answer, cases := range g.answers[name] {
				t.Errorf("%d cases, such as %s:\n%s", len(cases), cases[0], answer)
			}
		}
	}
}
