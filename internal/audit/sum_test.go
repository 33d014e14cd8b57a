package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// The lines were written by hand, following the documentation of Sum, and hashed with
// sha256sum.
var byHand = []struct{ line, hash string }{
	{`{"seq":1,"time":"2026-01-31T23:59:59.000000Z","actor":"ann","action":"partner.add","subject":"partner/acme","p` +
		`revious":"0000000000000000000000000000000000000000000000000000000000000000"}`,
		"3f43a91313c72f1c3dba9305aab28ec9709b852e932a054d151cdc4104c06b0c"},
	{`{"seq":2,"time":"2026-02-01T00:00:00.000001Z","actor":"program:sealane","action":"certificate.approve","subjec` +
		`t":"certificate/7","partner":"acme","environment":"PROD","reason":"a \"b\" \\ /\u000a<é> ` + "\u2028" +
		`","before":null,"after":{"n":1.10,"x":"<\u00e9>"},"previous":"3f43a91313c72f1c3dba9305aab28ec9709b852e932a0` +
		`54d151cdc4104c06b0c"}`,
		"509fe69490012b39028a144dfd1c08d6d2a687076f1e5e99ae0b42cd8a3fcfa6"},
}

func TestSumByHand(t *testing.T) {
	m := new(memory)
	for _, r := range []audit.Record{
		{Time: time.Date(2026, 1, 31, 23, 59, 59, 999, time.UTC), Actor: "ann", Action: "partner.add",
			Subject: "partner/acme"},
		{Time: time.Date(2026, 2, 1, 1, 0, 0, 1999, time.FixedZone("", 3600)), Actor: "program:sealane",
			Action: "certificate.approve", Subject: "certificate/7",
			Partner: "acme", Environment: "PROD", Reason: "a \"b\" \\ /\n<é> " +
				"\u2028", Before: json.RawMessage(" null "), After: json.RawMessage("{\"n\": 1.10,\n " +
				"\"x\":\"<\\u00e9>\"}")},
	} {
		if err := audit.Write(m, r); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := audit.Export(t.Context(), m, &file); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(file.String(), "\n")
	for i, want := range byHand {
		if got := hex.EncodeToString(m.records[i].Hash); got != want.hash ||
			hex.EncodeToString(audit.Sum(m.records[i])) != got {
			t.Errorf("record %d: hash %s", i+1, got)
		}
		if whole := strings.TrimSuffix(want.line, "}") + `,"hash":"` + want.hash + "\"}\n"; lines[i] != whole {
			t.Errorf("record %d: exported\n%s", i+1, lines[i])
		}
		if sum := sha256.Sum256([]byte(want.line)); hex.EncodeToString(sum[:]) != want.hash {
			t.Errorf("record %d: %x", i+1, sum)
		}
	}
}

// TestSumByOtherTools runs the command in the documentation of Sum.
func TestSumByOtherTools(t *testing.T) {
	for _, tool := range []string{"sh", "sed", "tr", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the rule was not tried with other tools", tool)
		}
	}
	m := write(t, 6)
	for _, r := range m.records {
		line, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command("sh", "-c", `sed 's/,"hash":"[0-9a-f]*"}$/}/' | tr -d '\n' | sha256sum`)
		c.Stdin = bytes.NewReader(append(line, '\n'))
		c.Env = append(c.Environ(), "LC_ALL=C")
		out, err := c.Output()
		if want := hex.EncodeToString(r.Hash); err != nil || !strings.HasPrefix(string(out), want+" ") {
			t.Errorf("record %d: %s, %v; want %s", r.Seq, out, err, want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	good := audit.Record{Time: start, Actor: "ann", Action: "do", Subject: "it"}
	secret := "s3cret-value"
	for says, change := range map[string]func(*audit.Record){
		"actor is empty":                    func(r *audit.Record) { r.Actor = "" },
		"action is empty":                   func(r *audit.Record) { r.Action = "" },
		"subject is empty":                  func(r *audit.Record) { r.Subject = "" },
		"time is not set":                   func(r *audit.Record) { r.Time = time.Time{} },
		"in the year 10000":                 func(r *audit.Record) { r.Time = r.Time.AddDate(7974, 0, 0) },
		"before is not JSON":                func(r *audit.Record) { r.Before = json.RawMessage(`{"a":` + secret) },
		"after is not JSON":                 func(r *audit.Record) { r.After = json.RawMessage(`"` + secret + `" 1`) },
		"after is not UTF-8":                func(r *audit.Record) { r.After = json.RawMessage("\"\xff\"") },
		"reason is not UTF-8":               func(r *audit.Record) { r.Reason = "\xc3" },
		"reason has the control character":  func(r *audit.Record) { r.Reason = "a\x00" },
		"partner has the control character": func(r *audit.Record) { r.Partner = "a\n" },
		fmt.Sprintf("than %d", 8<<20):       func(r *audit.Record) { r.Reason = strings.Repeat("x", 8<<20) },
	} {
		m, r := write(t, 2), good
		change(&r)
		err := audit.Write(m, r)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) ||
			len(m.records) != 2 {
			t.Errorf("%s: %.200v", says, err)
		}
	}
	m := write(t, 2)
	m.head = &audit.Head{Seq: 2, Hash: []byte("short")}
	if err := audit.Write(m, good); err == nil || !strings.Contains(err.Error(), "head of the log is damaged") {
		t.Error(err)
	}
	m.head = &audit.Head{Seq: 1, Hash: make([]byte, 32)}
	if err := audit.Write(refusing{m}, good); !errors.Is(err, errRefusing) {
		t.Error(err)
	}
}

var errRefusing = errors.New("no space")

type refusing struct{ *memory }

func (refusing) AppendAudit(audit.Record) error { return errRefusing }

// TestWriteSets: the caller's values for the chain are ignored.
func TestWriteSets(t *testing.T) {
	m := write(t, 2)
	before := m.records[0].Time.Add(-time.Hour) // kept: a clock was set back
	if err := audit.Write(m, audit.Record{Seq: 9, Previous: []byte("x"), Hash: []byte("y"), Time: before, Actor: "a",
		Action: "b", Subject: "c"}); err != nil {
		t.Fatal(err)
	}
	if r := m.records[2]; r.Seq != 3 || !bytes.Equal(r.Previous, m.records[1].Hash) || !bytes.Equal(r.Hash,
		audit.Sum(r)) || !r.Time.Equal(before) {
		t.Errorf("%+v", r)
	}
}

// FuzzRecord: a record that Write accepts is verified, and is read back unchanged from its
// line; so no two records share a line.
func FuzzRecord(f *testing.F) {
	f.Add("ann", "do", "it", "acme", "PROD", "why\n", []byte(`{"a":[1, 2]}`), []byte("null"), int64(1))
	f.Add("", "\"", "\\", "\x7f", "\u2028", "\x1f", []byte("1,2"), []byte("\"\xff\""), int64(-62135596800))
	f.Add("é", "<", "&", "\ufffd", "\U0010ffff", "\t\r", []byte(`"`+"\u2028"+`"`), []byte(" "), int64(253402300800))
	f.Fuzz(func(t *testing.T, actor, action, subject, partner, environment, reason string, before, after []byte,
		at int64) {
		m := write(t, 1)
		r := audit.Record{Time: time.Unix(at, 123456789), Actor: actor, Action: action, Subject: subject,
			Partner: partner, Environment: environment, Reason: reason, Before: before, After: after}
		if audit.Write(m, r) != nil {
			if len(m.records) != 1 {
				t.Error("refused, and written")
			}
			m.records = append(m.records, r) // as somebody with the database may
			if verify(t, m).Holds {
				t.Error("what was never written holds")
			}
			return
		}
		if report := verify(t, m, m.headAt(2)); !report.Holds || report.Held != 1 {
			t.Error(report)
		}
		line, err := m.records[1].MarshalJSON()
		var back audit.Record
		if err != nil || bytes.ContainsAny(line, "\n\r\x00") || json.Unmarshal(line, &back) != nil ||
			!reflect.DeepEqual(back, m.records[1]) {
			t.Errorf("%s is read as %+v, was %+v", line, back, m.records[1])
		}
	})
}
