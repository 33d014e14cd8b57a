package notify

import (
	"fmt"
	"strings"
	"time"
)

// Sample returns the subject and the text of a mail of a kind with made-up certificates. The problem is as
// that of [Templates.Render].
func (t *Templates) Sample(k Kind) (text string, problem, err error) {
	if _, known := t.builtin[k]; !known {
		return "", nil, fmt.Errorf("there is no kind of mail %.40q; the kinds are %v", k, Kinds())
	}
	subject, text, _, problem := t.Render(sample(k))
	return "Subject: " + subject + "\n\n" + text, problem, nil
}

// sample returns facts of a kind with the members that its mails have, and no others.
func sample(k Kind) Facts {
	f := samples(k)[0]
	c := &f.Certificates[0]
	c.Step, c.What, c.Reason = "", "", ""
	f.Lines, f.Files, f.Reminder = nil, nil, 0
	switch k {
	case NoticeOurs, Offer, Checksum:
		c.Ours = true
	case Internal:
		c.Step, c.What = "approved", "activate it, or order when"
	case Escalation, Call:
		c.Step, c.What = "asked", "the partner must send its next certificate"
	case Contacts:
		f.Lines = []string{"STAG, primary contact: Ann Lee, ann@bank.example"}
	case Summary:
		f.Certificates, f.Partner, f.Environment, f.Contact = nil, "", "", ""
		f.Lines = []string{"1 renewal waits for us"}
	case Rejected:
		c.Reason = "its key has 1024 bits: at least 2048 are needed"
	}
	return f
}

// samples returns facts of a kind with which templates are tried: one certificate, several, and names that are not
// harmless.
func samples(k Kind) []Facts {
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	one := Certificate{
		ID: "c-1", Renewal: "n-1", CommonName: "api.bank.example", SerialHex: "1A2B3C", SerialDecimal: "1715004",
		Alias: "bank-stag-1", Environment: "STAG", NotAfter: at.AddDate(0, 0, 60), DaysLeft: 60,
		SHA256: strings.Repeat("AB:", 31) + "AB", Step: "asked", What: "Send us the next certificate.",
		Reason: "its key is too short", PEM: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
	}
	two := one
	two.CommonName, two.SerialHex, two.SerialDecimal = "<b>a\r\nb</b>\u202e=?utf-8?q?x?= https://x.example", "0F", "15"
	two.Alias, two.NotAfter, two.DaysLeft, two.Ours = "", at.AddDate(0, 0, -8), -8, true
	full := Facts{
		Kind: k, Partner: "Bank", Contact: "Ann Lee", Environment: "STAG", Profile: "RiskOS",
		Certificates: []Certificate{one}, Person: "Kim Day", Email: "keys@company.example", Telephone: "+1 555 0100",
		From: "notices@company.example", Sender: "Company", Now: at, Lines: []string{"a line"},
		Files: []FileSum{{"bank.pem", strings.Repeat("ab", 32)}}, Reminder: 1,
	}
	bare := Facts{Kind: k, Certificates: []Certificate{one, two}, Now: at, Partner: two.CommonName}
	return []Facts{full, bare}
}
