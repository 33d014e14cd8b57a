package notify_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
)

// checkMail checks that a mail is whole, and has no header but ours.
func checkMail(t *testing.T, name string, data []byte, from string) (text, page string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for header := range m.Header {
		if !slices.Contains([]string{
			"From", "To", "Reply-To", "Subject", "Date", "Message-Id", "Auto-Submitted", "Mime-Version",
			"Content-Type",
		}, header) {
			t.Errorf("%s: there is a header %q", name, header)
		}
	}
	for _, header := range []string{"From", "To"} {
		list, err := m.Header.AddressList(header)
		if err != nil || len(list) != 1 || header == "From" && list[0].Address != from {
			t.Errorf("%s: %s: %v %v", name, header, list, err)
		}
		if len(list) == 1 && strings.ContainsAny(list[0].Name, "\r\n\u202e\u200b\x00\x1b") {
			t.Errorf("%s: the name %q", name, list[0].Name)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || strings.ContainsAny(subject, "\r\n\u202e\u200b\x00\x1b") || subject == "" ||
		m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%s: subject %q, %v", name, subject, err)
	}
	for one := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte("\r\n")), []byte("\r\n")) {
		if len(one) > 998 || bytes.ContainsAny(one, "\r\n") {
			t.Errorf("%s: the line %.80q", name, one)
		}
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %s %v", name, kind, err)
	}
	r := multipart.NewReader(m.Body, parameters["boundary"])
	var parts []string
	for _, want := range []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"} {
		p, err := r.NextPart()
		if err != nil || p.Header.Get("Content-Type") != want || p.Header.Get("Content-Disposition") != "" {
			t.Fatalf("%s: %v %v", name, p, err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(content))
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("%s: there is a third part: %v", name, err)
	}
	return parts[0], parts[1]
}

// TestBytes: a mail depends on its values alone, and its reader sees the texts.
func TestBytes(t *testing.T) {
	t.Parallel()
	m := message("ann@bank.example")
	m.Text, m.HTML, m.Subject = "é = 銀行\nlast. \n.\n", "<p>é "+strings.Repeat("long ", 400)+"</p>\n", "Bank 銀行"
	m.Date = time.Date(2026, 12, 1, 23, 0, 0, 0, time.FixedZone("", -12*3600))
	first, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, err := m.Bytes(); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%v\n%s\n%s", err, first, again)
		}
	}
	text, page := checkMail(t, "mail", first, m.From)
	if strings.ReplaceAll(text, "\r\n", "\n") != m.Text || strings.ReplaceAll(page, "\r\n", "\n") != m.HTML {
		t.Errorf("%q\n%q", text, page)
	}
	read, err := mail.ReadMessage(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Date": "Wed, 02 Dec 2026 11:00:00 +0000", "Message-Id": "<n-7k2m4q.1@company.example>",
		"Reply-To": "<keys@company.example>", "To": `"Ann Lee" <ann@bank.example>`,
	} {
		if got := read.Header.Get(header); got != want {
			t.Errorf("%s: %s", header, got)
		}
	}
}

// TestBytesRefused: what can't be the address or the identity of a mail.
func TestBytesRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*notify.Message){
		"from with a line":    func(m *notify.Message) { m.From = "a@b.example\r\nBcc: eve@evil.example" },
		"to with a line":      func(m *notify.Message) { m.To = "a@b.example\r\nBcc: eve@evil.example" },
		"two recipients":      func(m *notify.Message) { m.To = "a@b.example, eve@evil.example" },
		"answers with a line": func(m *notify.Message) { m.ReplyTo = "a@b.example\r\nX: y" },
		"no sender":           func(m *notify.Message) { m.From = "" },
		"no recipient":        func(m *notify.Message) { m.To = "" },
		"no identity":         func(m *notify.Message) { m.ID = "" },
		"identity with lines": func(m *notify.Message) { m.ID = "<a@b.example>\r\nX: y" },
		"no date":             func(m *notify.Message) { m.Date = time.Time{} },
		"no subject":          func(m *notify.Message) { m.Subject = " " },
		"no text":             func(m *notify.Message) { m.Text = "" },
		"no HTML":             func(m *notify.Message) { m.HTML = "" },
		"too large":           func(m *notify.Message) { m.Text = strings.Repeat("x", 2<<20) },
	} {
		m := message("ann@bank.example")
		change(&m)
		if data, err := m.Bytes(); err == nil {
			t.Errorf("%s:\n%s", name, data)
		}
	}
}
