package command

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// runnable is a block that is run: in which session, as whom, with which root key, and after which time.
var runnable = regexp.MustCompile(
	`(?m)^<!-- run: (\S+)(?: as (\S+))?(?: with (\S+))?(?: after (\S+))? -->\n((?:    [^\n]*\n)+)`)

// TestDocsSessions runs the blocks of the pages for custodians that are marked, in their order,
// each session in a registry of its own. The identities and the checksum of the page stand for
// those of the session.
func TestDocsSessions(t *testing.T) {
	folder, err := filepath.Abs("../docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"exchange.md", "operating.md", "rotation.md"} {
		text, err := os.ReadFile(filepath.Join(folder, page))
		if err != nil {
			t.Fatal(err)
		}
		sessions := map[string]*docsSession{}
		for _, m := range runnable.FindAllStringSubmatch(string(text), -1) {
			s := sessions[m[1]]
			if s == nil {
				s = newDocsSession(t, m[1])
				sessions[m[1]] = s
			}
			if m[4] != "" {
				later, err := time.ParseDuration(m[4])
				if err != nil {
					t.Fatal(err)
				}
				s.ahead += later
			}
			block := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(m[5], " ")
			for line := range strings.Lines(block) {
				s.run(t, m[2], m[3], strings.TrimSpace(line))
			}
		}
		if len(sessions) == 0 {
			t.Errorf("%s: nothing was run", page)
		}
	}
}

// docsSession is a folder with a registry, as the page's reader has it.
type docsSession struct {
	folder   string
	tokens   map[string]string // of the people but the first
	checksum string            // of the partner's certificate
	known    map[string]string // identities by those of the page
	ahead    time.Duration     // of the clock, because the page says "after some days"
}

// newDocsSession makes what a session of the page has before its first block.
func newDocsSession(t *testing.T, name string) *docsSession {
	s := &docsSession{folder: t.TempDir(), tokens: map[string]string{}, known: map[string]string{}}
	setup := map[string][]string{
		"theirs": {
			"sealane init anna", "sealane person add ben --role approver",
			"sealane partner add acme --name Acme --profile rdx --side egress --env PROD --sealing required",
			"sealane cert create --profile rdx --env PROD --bits 2048 --common-name acme.example --org Acme " +
				"--unit Keys --email keys@acme.example --out acme",
		},
		"ours": {
			"sealane init anna",
			"sealane partner add vcas --name VCAS --profile rdx --side ingress --env STAG --sealing required " +
				"--caller mutual-tls",
		},
		"provider": {
			"sealane init anna",
			"sealane partner add acme --name Acme --profile riskos --side ingress --env PROD --sealing required",
		},
		"operating": {},
		"their-certificate": {
			"sealane init anna", "sealane person add ben --role approver",
			"sealane partner add acme --name Acme --profile rdx --side egress --env PROD --sealing required",
			"sealane partner contact acme PROD --email keys@acme.example",
		},
		"our-pair": {
			"sealane init anna", "sealane person add ben --role approver",
			"sealane partner add socure --name Socure --profile riskos --side egress --env PROD --sealing required",
			"sealane offer socure PROD --out first --common-name us.example --org Us --unit Keys " +
				"--email keys@us.example --telephone +34 --bits 2048",
			"sealane installed k-5n3w2p7r4t",
		},
	}
	lines, known := setup[name]
	if !known {
		t.Fatalf("session %q is not known", name)
	}
	for _, line := range lines {
		s.run(t, "", "", line)
	}
	switch name {
	case "theirs":
		s.incoming(t, "acme", "acme-prod.cer")
	case "our-pair":
		s.known["k-2p6t4m7x3q"] = s.known["k-5n3w2p7r4t"]
	case "their-certificate":
		s.theirFirst(t)
	}
	return s
}

// incoming copies a partner's certificate to the file that the page names, and keeps its checksum.
func (s *docsSession) incoming(t *testing.T, folder, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.folder, folder, "1-send/acme-example-prod.cer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.folder, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	s.checksum = fmt.Sprintf("%x", sha256.Sum256(data))
}

// theirFirst has a partner's first certificate active, and its second one in a file.
func (s *docsSession) theirFirst(t *testing.T) {
	t.Helper()
	create := "sealane cert create --profile rdx --env PROD --bits 2048 --common-name acme.example --org Acme " +
		"--unit Keys --email keys@acme.example --out "
	s.run(t, "", "", create+"first")
	s.incoming(t, "first", "acme-prod.cer")
	for _, line := range []struct{ person, text string }{
		{"", "sealane receive acme PROD acme-prod.cer"}, {"", "sealane checksum c-7k2m4q6z3x 3A:1F:…:9C"},
		{"ben", `sealane approve c-7k2m4q6z3x --change CHG-1 --call-back "Eva Lind" --number "+46 8 123 45 67" ` +
			`--read-back 3A1F9C04`},
		{"", "sealane alias c-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"},
		{"", "sealane activate c-7k2m4q6z3x"}, {"", create + "second"},
	} {
		s.run(t, line.person, "", line.text)
	}
	s.known["c-3v5m2x7q4n"] = s.known["c-7k2m4q6z3x"]
	s.incoming(t, "second", "acme-2028.cer")
}

// run runs one command line in the session's folder.
func (s *docsSession) run(t *testing.T, person, rootKey, line string) {
	t.Helper()
	t.Chdir(s.folder)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(s.folder, "config"))
	t.Setenv("SEALANE_TOKEN", s.tokens[person])
	t.Setenv("SEALANE_ROOT_KEY", "")
	clock = func() time.Time { return time.Now().Add(s.ahead).UTC() }
	defer func() { clock = nil }()
	if rootKey != "" {
		t.Setenv("SEALANE_ROOT_KEY", "file:"+rootKey)
	}
	for page, real := range s.known {
		line = strings.ReplaceAll(line, page, real)
	}
	line = strings.ReplaceAll(line, "3A:1F:…:9C", s.checksum)
	line = strings.ReplaceAll(line, "3A1F9C04", s.checksum[:min(8, len(s.checksum))])
	args := shellWords(line)[1:]
	into := ""
	if i := slices.Index(args, ">"); i > 0 {
		args, into = args[:i], args[i+1]
	}
	var out, failed bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &out, &failed)
	request := regexp.MustCompile(`r-[a-z2-7]{10}`).FindString(failed.String())
	if code == exitPending && request != "" {
		s.known["r-4n7d2w5q3k"] = request // the next block approves it
	} else if code != 0 {
		t.Fatalf("%s\nexit code %d\n%s%s", line, code, out.String(), failed.String())
	}
	if into != "" {
		if err := os.WriteFile(into, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for page, pattern := range map[string]string{
		"c-7k2m4q6z3x": `c-[a-z2-7]{10}`, "k-5n3w2p7r4t": `k-[a-z2-7]{10}`, "n-4w7jr2kq5d": `n-[a-z2-7]{10}`,
	} {
		for _, id := range regexp.MustCompile(pattern).FindAllString(out.String(), -1) {
			if old := s.known["c-3v5m2x7q4n"] + s.known["k-2p6t4m7x3q"]; id != old {
				s.known[page] = id
				break
			}
		}
	}
	shown := regexp.MustCompile(`(sealane_person_\S+)\n\nThis is the token of (\S+)\.`)
	if m := shown.FindStringSubmatch(out.String()); m != nil {
		s.tokens[m[2]] = m[1]
	}
}
