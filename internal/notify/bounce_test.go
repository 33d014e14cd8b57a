package notify_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/notify"
)

func bounceFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "bounces", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestReadBounce: reports of several servers say which mail has failed, and whether the server has given up.
func TestReadBounce(t *testing.T) {
	t.Parallel()
	const tag, id, ann = "n-7k2m4q", "n-7k2m4q.1@company.example", "ann@bank.example"
	for name, want := range map[string]notify.Bounce{
		"postfix-failed": {
			Tag: tag, MessageID: id, Recipient: ann, Status: "5.1.1", Permanent: true,
			Diagnostic: "550 5.1.1 <ann@bank.example>: Recipient address rejected: User unknown",
		},
		"postfix-delayed": {Tag: tag, Recipient: ann, Status: "4.2.2", Diagnostic: "452 4.2.2 mailbox full"},
		"given-up": {
			Tag: tag, MessageID: id, Recipient: ann, Status: "4.4.7", Permanent: true,
			Diagnostic: "452 4.2.2 mailbox full",
		},
		"exchange": {
			Tag: tag, MessageID: id, Recipient: ann, Status: "5.2.2", Permanent: true,
			Diagnostic: "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
		},
		"several-base64": {Tag: tag, Recipient: "third@bank.example", Status: "5.7.1", Permanent: true},
	} {
		for form, data := range map[string][]byte{
			"CRLF": bounceFile(t, name), "LF": bytes.ReplaceAll(bounceFile(t, name), []byte("\r\n"), []byte("\n")),
		} {
			got, err := notify.ReadBounce(bytes.NewReader(data))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v\n%s", name, form, err, diff)
			}
		}
	}
}

// TestReadBounceOfOurs: the report on a mail of ours, whose header is the one that we have sent.
func TestReadBounceOfOurs(t *testing.T) {
	t.Parallel()
	e := envelope(t, "ann@bank.example")
	header, _, _ := bytes.Cut(e.Data, []byte("\r\n\r\n"))
	report := fmt.Sprintf("To: x@company.example\r\nContent-Type: multipart/report; report-type=delivery-status; "+
		"boundary=b1\r\n\r\n--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"+
		"Final-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b1\r\nContent-Type: "+
		"text/rfc822-headers\r\n\r\n%s\r\n\r\n--b1--\r\n", e.To, header)
	b, err := notify.ReadBounce(strings.NewReader(report))
	if err != nil || b.MessageID != "n-7k2m4q.1@company.example" || b.Tag != "" || b.Recipient != e.To ||
		!b.Permanent {
		t.Errorf("%+v %v", b, err)
	}
}

// TestReadBounceRefuses: what is no report of a failure or a delay, and what is too large.
func TestReadBounceRefuses(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"qmail": "but a mail without a Content-Type: a person must read it", "away": "text/plain",
		"delivered": `"delivered"`, "read": "disposition-notification", "nobody": "nothing about a recipient",
	} {
		if b, err := notify.ReadBounce(bytes.NewReader(bounceFile(t, "refused-"+name))); !errors.Is(err,
			notify.ErrNoReport) || !strings.Contains(err.Error(), says) || b != (notify.Bounce{}) {
			t.Errorf("%s: %+v %v", name, b, err)
		}
	}
	const head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
	nested := head
	for range 50 {
		nested += "--b\nContent-Type: multipart/mixed; boundary=b\n\n"
	}
	for name, text := range map[string]string{
		"empty": "", "no mail": "hello\n", "no parts": head, "no boundary": "Content-Type: multipart/report; " +
			"report-type=delivery-status\n\n", "many parts": head + strings.Repeat("--b\n\nx\n", 100),
		"nested": nested, "only lines": strings.Repeat("\n", 1000), "half": head + "--b\nContent-Type: message/deliv",
	} {
		if b, err := notify.ReadBounce(strings.NewReader(text)); !errors.Is(err, notify.ErrNoReport) {
			t.Errorf("%s: %+v %v", name, b, err)
		}
	}
	if _, err := notify.ReadBounce(strings.NewReader(strings.Repeat("x", 5<<20))); err == nil ||
		errors.Is(err, notify.ErrNoReport) || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

// TestReadBounceIsSafe: anyone can write a report, so nothing in it may reach a terminal.
func TestReadBounceIsSafe(t *testing.T) {
	t.Parallel()
	b, err := notify.ReadBounce(bytes.NewReader(bounceFile(t, "hostile")))
	if err != nil {
		t.Fatal(err)
	}
	checkBounce(t, b)
	if b.Tag != "n-7k2m4q" || b.Status != "5.1.1" ||
		!strings.HasPrefix(b.Recipient, `ann\u202e@bank.example\x1b[31m`) {
		t.Errorf("%+v", b)
	}
}

// checkBounce checks that the values of a report can be shown, and are not long.
func checkBounce(t *testing.T, b notify.Bounce) {
	t.Helper()
	for _, value := range []string{b.Tag, b.MessageID, b.Recipient, b.Status, b.Diagnostic} {
		if utf8.RuneCountInString(value) > 600 || strings.ContainsFunc(value, func(r rune) bool {
			return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u200b'
		}) {
			t.Errorf("%q", value)
		}
	}
}

// FuzzReadBounce: any bytes are read within the limits, and what is returned can be shown.
func FuzzReadBounce(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "bounces", "*.eml"))
	if err != nil || len(files) < 8 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := notify.ReadBounce(bytes.NewReader(data))
		if err != nil {
			if b != (notify.Bounce{}) || !errors.Is(err, notify.ErrNoReport) && len(data) < 4<<20 {
				t.Errorf("%+v %v", b, err)
			}
			return
		}
		checkBounce(t, b)
		if b.Recipient == "" && b.Status == "" && b.Tag == "" && b.MessageID == "" && b.Diagnostic == "" {
			t.Log("a report that says nothing")
		}
	})
}
