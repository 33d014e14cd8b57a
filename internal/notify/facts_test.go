package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
)

// TestTimeLeft (pitfall 4): the time that is left, in whole days, and since the end.
func TestTimeLeft(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]string{
		60: "60 days left", 2: "2 days left", 1: "1 day left", 0: "less than a day left",
		-1: "ended less than a day ago", -2: "ended 1 day ago", -8: "ended 7 days ago",
	} {
		if got := (notify.Certificate{DaysLeft: days}).Left(); got != want {
			t.Errorf("%d: %s, want %s", days, got, want)
		}
	}
	c := notify.Certificate{NotAfter: time.Date(2028, 2, 29, 23, 59, 59, 0, time.FixedZone("", -12*3600))}
	if got := c.End(); got != "1 March 2028, 11:59:59 UTC" {
		t.Error(got)
	}
}

// TestTwoYears: a mail about a certificate that must be replaced before it ends has one instant for the day, the time
// that is left and the order; the certificate's end is shown with it.
func TestTwoYears(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	long := theirs() // of ten years
	long.NotAfter, long.UseBy, long.DaysLeft = now.AddDate(8, 0, 0), now.AddDate(0, 0, 74).Add(time.Hour), 74
	overdue := long
	overdue.UseBy, overdue.DaysLeft = now.AddDate(0, 0, -7).Add(-time.Hour), -8
	short := theirs()
	short.NotAfter, short.DaysLeft, short.CommonName = now.AddDate(0, 0, 90).Add(time.Hour), 90, "short.example"
	for _, test := range []struct {
		of      []notify.Certificate
		subject string
	}{
		{[]notify.Certificate{long}, "must be replaced by 13 February 2027 (74 days left)"},
		{[]notify.Certificate{overdue}, "had to be replaced by 24 November 2026 (7 days overdue)"},
		{[]notify.Certificate{short, long}, "must be replaced, the first by 13 February 2027 (74 days left)"},
		{[]notify.Certificate{short, overdue}, "had to be replaced, the first by 24 November 2026 (7 days overdue)"},
		{[]notify.Certificate{short}, "ends on 1 March 2027 (90 days left)"},
	} {
		for _, k := range []notify.Kind{notify.NoticeTheirs, notify.NoticeOurs, notify.Internal, notify.Call} {
			f := facts(k)
			f.Now, f.Certificates = now, test.of
			subject, text, page := render(t, f)
			if !strings.Contains(subject, test.subject) {
				t.Errorf("%s: %q, want %q", k, subject, test.subject)
			}
			for form, shown := range map[string]string{"text": text, "HTML": page} {
				for _, c := range test.of {
					end := c.End()
					if c.Early() {
						end = c.EndOfUse()
						if strings.Contains(shown, c.End()+" (") || !strings.Contains(shown, c.End()) {
							t.Errorf("%s, %s: the certificate's end is not by itself:\n%s", k, form, shown)
						}
					}
					left := " (" + c.Left() + ")"
					if form == "HTML" {
						left = " (<strong>" + c.Left() + "</strong>)"
					}
					if !strings.Contains(shown, end+left) {
						t.Errorf("%s, %s: there is no %q:\n%s", k, form, end+left, shown)
					}
				}
			}
			if strings.Contains(text, "nds soon") && test.of[0].Early() {
				t.Errorf("%s: a certificate of ten years does not end soon:\n%s", k, text)
			}
		}
	}
}

// TestNoNext: before our next certificate is made, our own people are told that it must be.
func TestNoNext(t *testing.T) {
	t.Parallel()
	f := facts(notify.Internal)
	f.Certificates[0].Ours = true
	if subject, _, _ := render(t, f); !strings.HasSuffix(subject, ", and its renewal is not finished") {
		t.Error(subject)
	}
	f.Certificates[0].NoNext = true
	if subject, _, _ := render(t, f); !strings.HasSuffix(subject, ": our next must be made") {
		t.Error(subject)
	}
}

// TestSample: the preview of a kind has only what its mails have.
func TestSample(t *testing.T) {
	t.Parallel()
	templates, _ := notify.LoadTemplates("")
	for _, k := range notify.Kinds() {
		text, problem, err := templates.Sample(k)
		if problem != nil || err != nil {
			t.Fatal(problem, err)
		}
		if strings.Contains(text, "Reminder 1:") || strings.Contains(text, "a line") ||
			strings.Contains(text, "  Reason ") != (k == notify.Rejected) || strings.Contains(text, "  File ") {
			t.Errorf("%s:\n%s", k, text)
		}
	}
}
