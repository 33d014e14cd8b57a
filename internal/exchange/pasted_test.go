package exchange_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

const reports = "../../testdata/reports/"

func report(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(reports + name))
	fatal(t, err)
	return data
}

// A right checksum after another right one matches too; a wrong one of another file neither
// accuses nor undoes; one that can be read in two ways accuses nobody.
func TestSeveralChecksums(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "DEV")
	file := report(t, "common/customer.cer")
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "DEV", Data: file,
		Name: "customer.cer"})
	h.must(err)
	leaf, err := x509.ParseCertificate(file)
	h.must(err)
	der, text := sha256.Sum256(leaf.Raw), sha256.Sum256(cert.EncodePEM(leaf))
	long := sha512.Sum512(leaf.Raw)
	none := strings.Repeat("01", 32)
	for _, step := range []struct {
		text, says string
		state      registry.State
	}{
		{none[:40] + "\n" + none[40:], "more than one way", registry.Received},
		{none + "  other.p7b", "and certificate " + c.ID + " came as", registry.Received},
		{none + "\n" + hexSum(der[:]), "", registry.Matched},
		{hexSum(text[:]), "", registry.Matched},
		{string(report(t, "common/customer-checksum-letter.txt")), "", registry.Matched},
		{none + "  other.p7b", "came as", registry.Matched},
		{"MD5 " + none[:32], "an MD5", registry.Matched},
		{"SHA-512 " + hexSum(long[:]), "", registry.Matched},
		{"SHA1: " + none[:40], "only a SHA-1", registry.Matched},
		{none + "  customer.cer", "does not match", registry.Received},
	} {
		_, err := h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: step.text})
		if (err == nil) != (step.says == "") || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Errorf("%.80q: %v, want %q", step.text, err, step.says)
		}
		if now := h.certificate(c.ID).State; now != step.state {
			t.Errorf("%.80q: it is %s", step.text, now)
		}
	}
}

// The answer to a challenge is found in the text around it.
func TestAnswerInALetter(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	c := h.takenIn(h.anna, "acme", "PROD", "one")
	for i, around := range []func(string) string{
		func(a string) string { return "Dear all,\r\n\r\n> " + a + "\r\n\r\nRegards" },
		func(a string) string { return "“" + strings.ReplaceAll(a, "-", "‑") + "”." },
		func(a string) string { return "> " + a[:20] + "\n> " + a[20:] },
		func(a string) string { return "\ufeff" + strings.ToLower(a) },
	} {
		token, err := h.anna.Challenge(ctx, c.ID, i > 0)
		h.must(err)
		if err := h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: "no answer at all"}); err == nil ||
			!strings.Contains(err.Error(), "no answer in this text") {
			t.Errorf("%d: %v", i, err)
		}
		answer := around(openChallenge(t, token, "one"))
		if err := h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: answer}); err != nil {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// Tables as Excel, Windows and old Macs write them.
func TestTablesOfSpreadsheets(t *testing.T) {
	h := newCompany(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	dir := t.TempDir()
	const plain = "partner;name;profile;side;environment;sealing;account\np;P;rdx;client;STAG;required;\n"
	units := strings.Join(strings.Split(plain, ""), "\x00") + "\x00"
	for name, data := range map[string]string{
		"CR alone":                 strings.ReplaceAll(plain, "\n", "\r"),
		"UTF-16 without a mark":    units,
		"big endian, without":      "\x00" + units[:len(units)-1],
		"sep":                      "sep=;\r\n" + plain,
		"sep, quoted, with a mark": "\ufeff\"sep=;\"\r\n" + plain,
		"blank rows":               ";;;;;;\n\n" + plain + " ; ;;;;;\n;;;;;;\n\n",
		"empty columns":            strings.ReplaceAll(plain, "\n", ";;\n"),
		"short rows of Excel":      strings.Replace(plain, "required;\n", "required;;;;\n", 1),
		"no-break spaces":          strings.Replace(plain, ";rdx;", ";\u00a0rdx\u00a0;", 1),
		"capitals":                 strings.Replace(plain, "rdx;client;STAG;required", "RDX;Client;Stag;REQUIRED", 1),
		"a title before":           "Our partners, as of today;;;;;;\n" + plain,
		"a comment before":         "# partners\n" + plain,
		"pipes":                    strings.ReplaceAll(plain, ";", "|"),
		"headings in words":        strings.Replace(plain, "partner;name", "Partner ;NAME", 1),
		"a comment between":        strings.Replace(plain, "\np;", "\n# of old;;;;;;\np;", 1),
		"the end of a file of DOS": plain + "\x1a",
		"NULs behind":              plain + "\x00\x00",
		"Markdown": strings.Replace(
			strings.ReplaceAll(plain, ";", "|"), "\n", "\n"+strings.Repeat("---|", 6)+"---\n", 1),
		"text as a formula": strings.Replace(plain, ";P;", `;"=""P""";`, 1),
		"an apostrophe":     strings.Replace(plain, ";P;", ";'P;", 1),
	} {
		path := filepath.Join(dir, "table.csv")
		h.must(os.WriteFile(path, []byte(data), 0o600))
		results := h.imported(path)
		if len(results) != 1 || results[0].Error != "" {
			t.Errorf("%s: %+v", name, results)
		}
	}
	for name, c := range map[string]struct{ data, want string }{
		"a workbook": {"PK\x03\x04" + strings.Repeat("\x00", 26) + "[Content_Types].xml",
			"a document of Microsoft Office"},
		"JSON":    {`[{"partner":"p"}]`, "this is JSON, not a table"},
		"YAML":    {"- partner: p\n", "no line names the columns"},
		"a typo":  {strings.Replace(plain, "environment", "enviroment", 1), "(environment?)"},
		"a table": {"<table><tr><td>partner</td></tr></table>", "an HTML page"},
		"a page":  {"<html><table><tr><td>partner</td></tr></table></html>", "an HTML page"},
	} {
		path := filepath.Join(dir, "table.csv")
		h.must(os.WriteFile(path, []byte(c.data), 0o600))
		if err := h.refusedTable(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct{ data, want string }{
		"a rounded number": {strings.Replace(plain, "required;\n", "required;1,23457E+17\n", 1),
			"has rounded a long number"},
		"an error":  {strings.Replace(plain, "required;\n", "required;#NAME?\n", 1), "an error of the spreadsheet"},
		"a formula": {strings.Replace(plain, "required;\n", "required;=A1\n", 1), "is a formula"},
		"a cell without a heading": {strings.Replace(plain, "required;\n", "required;;x\n", 1),
			"its column has no name"},
		"too few cells": {"partner;profile;side;environment;sealing\np;rdx\n", "wrong number of fields"},
	} {
		path := filepath.Join(dir, "table.csv")
		h.must(os.WriteFile(path, []byte(c.data), 0o600))
		if results := h.imported(path); len(results) != 1 || !strings.Contains(results[0].Error, c.want) {
			t.Errorf("%s: %+v", name, results)
		}
	}
}

// A cell may have the certificate itself, and the paths of other computers are named.
func TestCertificatesInCells(t *testing.T) {
	h := newCompany(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	row := func(certificate string) []exchange.RowResult {
		path := filepath.Join(t.TempDir(), "table.csv")
		h.must(os.WriteFile(path, []byte("partner,profile,side,environment,sealing,certificate\n"+
			"p,riskos,server,DEV,required,\""+certificate+"\"\n"), 0o600))
		return h.imported(path)
	}
	for _, address := range []string{`C:\certs\a.cer`, "https://p.example/a.cer", "file:///C:/a.cer"} {
		if r := row(address); len(r) != 1 || !strings.Contains(r[0].Error, "put the file into the folder") {
			t.Errorf("%s: %+v", address, r)
		}
	}
	if r := row(string(report(t, "common/customer.pem"))); len(r) != 1 || r[0].Error != "" {
		t.Errorf("%+v", r)
	}
}
