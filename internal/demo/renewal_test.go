package demo_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/demo"
)

// played runs the two years, and returns the report.
func played(t *testing.T, o demo.Options) string {
	t.Helper()
	var out strings.Builder
	o.Output, o.FastForward = &out, true
	if err := demo.Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), " 0 failed") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("the report:\n%s", out.String())
	}
	return out.String()
}

// inOrder fails the test unless texts are in a report, one after the other.
func inOrder(t *testing.T, report string, texts ...string) {
	t.Helper()
	rest := report
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("%q is not in the report, or too early:\n%s", text, report)
		}
		rest = after
	}
}

// TestFastForward plays two years that have a 29 February. The steps check themselves, so the test looks at what a
// reader sees: the days, each mail, and the keys.
func TestFastForward(t *testing.T) {
	t.Parallel()
	report := played(t, demo.Options{Start: time.Date(2027, 2, 28, 0, 0, 0, 0, time.UTC)})
	inOrder(t, report,
		"2027-02-28  acme makes a pair", "ends on 28 February 2028, 09:00 UTC",
		"2027-10-31  120 days left", "Subject: Please confirm your contacts",
		"2027-12-15  75 days left", "To:      \"Nina Roe\" <nina.roe@acme.example>", "please send us the next",
		"1. Make a new key pair",
		"60 days left", "please send us the next", "(the text is as before",
		"45 days left", "To:      \"Omar Diaz\" <omar.diaz@acme.example>",
		"30 days left", "Subject: No answer from acme in PROD",
		"acme answers", "second message: SHA-256", "received by olga, approved by paul", "who read the checksum",
		"released by paul", "your new certificate api.acme.example is in use",
		"signed by acme's first key", "signed by acme's second key", "is quiet", "is retired at company",
		"the signature could not be verified", "is destroyed at acme",
		"Our certificate ends on 28 February 2029", "BEGIN CERTIFICATE", "the checksums of our new certificate",
		"please install our next", "received by olga, approved by paul", "encrypted to our second key",
		"decryption failed", "is destroyed at company", "each was opened",
	)
	if mails := strings.Count(report, "From:    \"Company, key management\" <keys@company.example>\n"); mails != 18 {
		t.Errorf("%d mails are shown, with one summary", mails)
	}
	if greetings := strings.Count(report, "    Hello "); greetings != 6 {
		t.Errorf("%d texts of mails to people at acme are shown: one of each kind is expected", greetings)
	}
}

// With Verbose, the text of each mail is shown.
func TestFastForwardVerbose(t *testing.T) {
	t.Parallel()
	report := played(t, demo.Options{Verbose: true})
	if greetings := strings.Count(report, "    Hello "); greetings != 14 {
		t.Errorf("%d texts of mails to people at acme are shown", greetings)
	}
	if strings.Contains(report, "(the text is as before") {
		t.Error("a text is left out")
	}
}

// Two years that are ended early fail, and leave nothing: a step that did not do what it should ends the play.
func TestFastForwardEnds(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, at := range []string{"RSA by", "75 days left"} {
		ctx, stop := context.WithCancel(t.Context())
		out := &stopper{at: at, stop: stop}
		err := demo.Run(ctx, demo.Options{Output: out, FastForward: true})
		if err == nil || at != "RSA by" && err.Error() != "1 of 5 steps did not do what they should" {
			t.Errorf("%v\n%s", err, out.text.String())
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v %v", left, err)
		}
	}
}

// stopper takes a report, and ends the program when a text has come.
type stopper struct {
	text strings.Builder
	at   string
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.at) {
		s.stop()
	}
	return s.text.Write(p)
}
