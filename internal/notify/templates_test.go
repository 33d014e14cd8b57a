package notify_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/sealane/sealane/internal/notify"
)

var update = flag.Bool("update", false, "write the files in testdata/golden")

// theirs is a certificate in a mail.
func theirs() notify.Certificate {
	return notify.Certificate{
		ID: "c-7k2m4q6z3x", Renewal: "n-2b4c6d8f0g", CommonName: "api.bank.example",
		SerialHex: "5a1f00c3e7", SerialDecimal: "387071329255", Alias: "bank-prod-2026", Environment: "PROD",
		NotAfter: time.Date(2027, 1, 30, 9, 30, 0, 0, time.FixedZone("", 14*3600)), DaysLeft: 59,
		SHA256: "3A:1F:" + strings.Repeat("00:", 29) + "9C",
	}
}

// facts returns those of a mail of a kind.
func facts(k notify.Kind) notify.Facts {
	f := notify.Facts{
		Kind: k, Partner: "First Bank", Contact: "Ann Lee", Environment: "PROD", Profile: "RiskOS",
		Certificates: []notify.Certificate{theirs()}, Person: "Kim Day", Email: "keys@company.example",
		Telephone: "+1 555 0100", From: "notices@company.example", Sender: "Company",
		Now: time.Date(2026, 12, 1, 23, 30, 0, 0, time.UTC),
	}
	c := &f.Certificates[0]
	switch k {
	case notify.NoticeTheirs:
		second := theirs()
		second.CommonName, second.SerialHex, second.SerialDecimal = "batch.bank.example", "0f", "15"
		second.NotAfter, second.UseBy = second.NotAfter.AddDate(0, 0, 10), second.NotAfter.AddDate(0, 0, 3)
		second.DaysLeft, second.Alias = 62, ""
		f.Certificates, f.Reminder = append(f.Certificates, second), 2
	case notify.NoticeOurs:
		c.Ours, c.DaysLeft, c.NotAfter = true, 0, f.Now.Add(3*time.Hour)
	case notify.Internal:
		c.Step, c.What = "approved", "Activate it, or order when."
	case notify.Escalation, notify.Call:
		c.DaysLeft, c.NotAfter = -8, f.Now.Add(-7*24*time.Hour-time.Minute)
		c.Step, c.What = "asked", "Send us the next certificate."
		f.Lines = []string{"Ann Lee, ann@bank.example: told on 17 November 2026, no answer"}
	case notify.Contacts:
		f.Certificates, f.Lines = nil, []string{"primary: Ann Lee, ann@bank.example", "alternate: nobody"}
	case notify.Summary:
		f.Certificates, f.Contact, f.Environment, f.Partner = nil, "", "", ""
	case notify.Offer, notify.Checksum:
		c.Ours, c.Alias = true, ""
		c.PEM = "-----BEGIN CERTIFICATE-----\nMIIBdTCCARugAwIBAgIFWh8Aw+cw\n-----END CERTIFICATE-----\n"
		f.Files = []notify.FileSum{{Name: "company-prod.pem", SHA256: strings.Repeat("3a", 32)}}
		if k == notify.Offer {
			f.Files = nil
		}
	case notify.Rejected:
		c.Reason = "its key has 1024 bits: at least 2048 are needed"
	}
	return f
}

func render(t *testing.T, f notify.Facts) (subject, text, page string) {
	t.Helper()
	templates, problems := notify.LoadTemplates("")
	subject, text, page, problem := templates.Render(f)
	if problem != nil || problems != nil {
		t.Fatal(problem, problems)
	}
	return subject, text, page
}

// TestGolden: the built-in mail of each kind is that of the files, which -update writes.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, k := range notify.Kinds() {
		f := facts(k)
		subject, text, page := render(t, f)
		golden(t, string(k)+".txt", "Subject: "+subject+"\n\n"+text)
		golden(t, string(k)+".html", page)
		data, err := notify.Message{
			From: f.From, FromName: f.Sender, To: "ann@bank.example", ToName: f.Contact, ReplyTo: f.Email,
			Subject: subject, ID: "n-1@company.example", Date: f.Now, Text: text, HTML: page,
		}.Bytes()
		if err != nil {
			t.Fatal(k, err)
		}
		golden(t, string(k)+".eml", string(data))
		for form, shown := range map[string]string{"text": text, "HTML": page} {
			for _, c := range f.Certificates {
				for _, must := range []string{
					c.CommonName, "0x" + strings.ToUpper(c.SerialHex), c.SerialDecimal, c.Alias, c.Environment,
					c.NotAfter.UTC().Format("2 January 2006, 15:04:05 UTC"), c.Left(), c.Step, c.What, c.Reason,
				} {
					if !strings.Contains(shown, must) {
						t.Errorf("%s, %s: there is no %q", k, form, must)
					}
				}
				if strings.Contains(shown, c.SHA256) == (k == notify.Offer) ||
					c.PEM != "" && strings.Contains(shown, "BEGIN CERTIFICATE--") == (k == notify.Checksum) {
					t.Errorf("%s, %s: a mail has the checksum or the certificate, and not both", k, form)
				}
			}
			telephone := strings.ReplaceAll(f.Telephone, "+", plus(form))
			for _, must := range []string{f.Person, telephone, f.Email, f.From} {
				if !strings.Contains(shown, must) {
					t.Errorf("%s, %s: there is no %q", k, form, must)
				}
			}
			if strings.Contains(shown, "://") || strings.Contains(shown, "<no value>") ||
				regexp.MustCompile(`(?i)<(a|img|script|link)\b|src=|href=`).MatchString(shown) {
				t.Errorf("%s, %s: it has a link, or something to fetch", k, form)
			}
		}
		if strings.Contains(text, "\n\n\n") || strings.Contains(text, " \n") || strings.Contains(text, "{{") ||
			regexp.MustCompile(`(?m)^[^ \n].{76,}$`).MatchString(text) {
			t.Errorf("%s: the text has lines that are odd:\n%s", k, text)
		}
	}
}

// plus is how a form writes a plus sign.
func plus(form string) string {
	if form == "HTML" {
		return "&#43;"
	}
	return "+"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s is not that of the code (go test -update writes it): %v\n%s", file, err, got)
	}
}

// hostile are values that somebody may put into a certificate.
var hostile = []string{
	"bank\r\nBcc: eve@evil.example\r\n\r\nother text", "bank\u202eelpmaxe.knab", "zero\u200bwidth\u2066x\u2069",
	"<script>alert(1)</script><img src=x onerror=y>", `"><a href="https://evil.example">click</a>`,
	"=cmd|' /C calc'!A0",
	"=?utf-8?b?4oCuZXZpbA==?=", "{{.Person}} {{template \"x\"}}", "bad\xff\xfeutf", "a\x00b\x1b[2J\x9b31m",
	"https://evil.example/x",
	strings.Repeat("long ", 3000), strings.Repeat("x", 5000), strings.Repeat(" ", 400) + "y", "銀行 é", "&lt;b&gt;",
	"\U000e0041tag",
}

// TestHostileNames (pitfall 47): what comes from a partner can't add a header, a link, an element, or a hidden
// character to any mail, and is shown escaped.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, k := range notify.Kinds() {
		for _, name := range hostile {
			f := facts(k)
			f.Certificates = []notify.Certificate{theirs()}
			c := &f.Certificates[0]
			c.CommonName, c.Alias, c.Environment, c.Step, c.What, c.Reason = name, name, name, name, name, name
			f.Partner, f.Contact, f.Environment, f.Profile, f.Lines = name, name, name, name, []string{name}
			f.Files, f.Reminder = []notify.FileSum{{Name: name, SHA256: name}}, 1
			subject, text, page := render(t, f)
			data, err := notify.Message{
				From: "notices@company.example", FromName: name, To: "ann@bank.example", ToName: name,
				Subject: subject, ID: "n-1@company.example", Date: f.Now, Text: text, HTML: page,
			}.Bytes()
			if err != nil {
				t.Fatalf("%s, %.30q: %v", k, name, err)
			}
			checkMail(t, fmt.Sprintf("%s, %.30q", k, name), data, f.From)
			for _, n := range elementsOf(page) {
				if slices.Contains(strings.Fields("script img a iframe link form input b x"), n) {
					t.Errorf("%s, %.30q: the page has <%s>", k, name, n)
				}
			}
			if strings.ContainsAny(subject+text+page, "\r\x00\x1b\u202e\u200b\u2066\u009b\U000e0041") ||
				strings.Contains(subject+text+page, "://") || len(text) > 1<<15 {
				t.Errorf("%s, %.30q:\n%s\n%s", k, name, subject, text)
			}
		}
	}
}

// elementsOf returns the names of the elements of a page.
func elementsOf(page string) (names []string) {
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return names
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			names = append(names, string(name))
		}
	}
}

const goodText = "{{range .Certificates}}{{.Hexadecimal}} {{.SerialDecimal}} {{.End}}\n{{end}}\n{{.Person}}\n"

// TestReplaced: templates of a folder are used, part by part.
func TestReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "notice-theirs.subject"), "Ours: {{.Named}}\n")
	write(t, filepath.Join(dir, "notice-theirs.txt"), "Replaced\n"+goodText)
	write(t, filepath.Join(dir, "ready.html"), "<p style=\"color: red\">Replaced "+goodText+"</p>")
	write(t, filepath.Join(dir, ".swp"), "")
	templates, problems := notify.LoadTemplates(dir)
	if problems != nil {
		t.Fatal(problems)
	}
	subject, text, page, problem := templates.Render(facts(notify.NoticeTheirs))
	if problem != nil || subject != "Ours: 2 certificates" ||
		!strings.HasPrefix(text, "Replaced\n0x5A1F00C3E7 387071329255 ") ||
		!strings.Contains(page, "How to answer") {
		t.Errorf("%v\n%s\n%s\n%s", problem, subject, text, page)
	}
	_, text, page, problem = templates.Render(facts(notify.Ready))
	if problem != nil || !strings.HasPrefix(page, `<p style="color: red">Replaced 0x`) ||
		!strings.Contains(text, "How to") {
		t.Errorf("%v\n%s\n%s", problem, text, page)
	}
}

// TestReplacedFails: a template that can't be used is named with its file, and the built-in one is used.
func TestReplacedFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, content, says string }{
		"syntax":           {"ready.txt", "a\n{{.Person", "ready.txt:2: "},
		"field":            {"ready.txt", "a\nb\n{{.Nobody}}", "ready.txt:3:"},
		"method fails":     {"ready.txt", "{{index .Certificates 7}}", "ready.txt:1:"},
		"no serial":        {"ready.txt", "{{range .Certificates}}{{.End}} {{.SerialDecimal}}{{end}}", "hexadecimal"},
		"no decimal":       {"ready.txt", "{{range .Certificates}}{{.End}} {{.Hexadecimal}}{{end}}", "in decimal"},
		"no end":           {"ready.txt", "{{range .Certificates}}{{.Hexadecimal}} {{.SerialDecimal}}{{end}}", "end"},
		"only the first":   {"ready.txt", "{{with .First}}{{.Hexadecimal}} {{.SerialDecimal}} {{.End}}{{end}}", ""},
		"link":             {"ready.txt", goodText + "https://company.example/", "link"},
		"endless":          {"ready.txt", `{{define "x"}}more{{template "x"}}{{end}}{{template "x"}}`, "depth"},
		"very long":        {"ready.txt", "{{range 100000}}0123456789{{end}}", "bytes"},
		"too large":        {"ready.txt", strings.Repeat("x", 1<<17), "larger than"},
		"HTML syntax":      {"ready.html", "<p>\n{{end}}", "ready.html:2:"},
		"HTML field":       {"ready.html", "\n<p>{{.Nobody}}</p>", "ready.html:2:"},
		"HTML link":        {"ready.html", goodText + `<a href="mailto:x">`, "<a>"},
		"HTML image":       {"ready.html", goodText + `<img src="cid:x">`, "<img>"},
		"HTML style sheet": {"ready.html", goodText + `<style>@import "//evil.example"</style>`, "<style>"},
		"HTML background":  {"ready.html", goodText + `<table background="//evil.example/x">`, "background"},
		"HTML url":         {"ready.html", goodText + `<p style="background: url(//evil.example/x)">`, "style"},
		"HTML escape":      {"ready.html", goodText + `<p style="background: \75rl(//evil.example/x)">`, "style"},
		"HTML handler":     {"ready.html", goodText + `<p onclick="x()">`, "onclick"},
		"HTML hidden":      {"ready.html", "<!-- " + goodText + " -->", "lacks"},
		"HTML refresh":     {"ready.html", goodText + `<meta http-equiv="refresh" content="0; //x">`, "http-equiv"},
		"empty subject":    {"ready.subject", "{{/* nothing */}}\n", "empty"},
		"two lines":        {"ready.subject", "a\nBcc: eve@evil.example", "several lines"},
		"another kind":     {"renewed.txt", goodText, "not the name of a template"},
		"another part":     {"ready.text", goodText, "not the name of a template"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.file), c.content)
			templates, problems := notify.LoadTemplates(dir)
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), c.says) ||
				!strings.Contains(problems[0].Error(), filepath.Join(dir, c.file)) {
				t.Errorf("%v", problems)
			}
			f := facts(notify.Ready)
			wantSubject, wantText, wantPage := render(t, f)
			if subject, text, page, problem := templates.Render(f); problem != nil || subject != wantSubject ||
				text != wantText || page != wantPage {
				t.Errorf("%v\n%s\n%s\n%s", problem, subject, text, page)
			}
		})
	}
	if _, problems := notify.LoadTemplates(filepath.Join(t.TempDir(), "none")); len(problems) != 1 {
		t.Error(problems)
	}
}

// TestReplacedFailsLater: a template that fails for some facts only is replaced for these by the built-in one.
func TestReplacedFailsLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ready.txt"), goodText+
		`{{if eq .Partner "First Bank"}}{{index .Certificates 9}}{{end}}`)
	templates, problems := notify.LoadTemplates(dir)
	if problems != nil {
		t.Fatal(problems)
	}
	f := facts(notify.Ready)
	wantSubject, wantText, _ := render(t, f)
	subject, text, _, problem := templates.Render(f)
	if problem == nil || !strings.Contains(problem.Error(), "ready.txt:") ||
		subject != wantSubject || text != wantText {
		t.Errorf("%v\n%s\n%s", problem, subject, text)
	}
	if _, _, _, problem := templates.Render(notify.Facts{Kind: "other"}); problem == nil {
		t.Error("a kind that does not exist")
	}
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
