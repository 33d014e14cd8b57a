package hostile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/hostile"
)

const corpusDir = "../../testdata/hostile"

var updateFiles = flag.Bool("update-files", false,
	"write the key files and certificates of the corpus that are missing")

// made is a file of the corpus and how its content is made.
type made struct {
	name string
	// "cert.ErrX": the error; "rule x" or "warn x": the rule; other words: what the error says;
	// empty: the file is taken
	want    string
	source  string
	content func() []byte
	edit    func(*hostile.File) // what else the head says
}

// leak is what a private key is when it comes as a partner's file.
const leak = "keyfile.PrivateKeyError"

func (m made) head(kind, reader string) hostile.File {
	f := hostile.File{Path: kind + "/" + m.name, Reader: reader, Level: hostile.LevelRefused, Source: m.source}
	rule, isRule := strings.CutPrefix(m.want, "rule ")
	warning, isWarning := strings.CutPrefix(m.want, "warn ")
	switch {
	case m.want == "":
		f.Level = hostile.LevelOK
	case isRule:
		f.Rule = rule
	case isWarning:
		f.Rule, f.Level = warning, hostile.LevelWarning
	case strings.HasPrefix(m.want, "cert.Err"), strings.HasPrefix(m.want, "keyfile."):
		f.Error = m.want
	default:
		f.Says = m.want
	}
	if reader == hostile.ReaderPrivate {
		f.AsCertificate = leak
	}
	if kind == "certificate" && (f.Rule != "" || f.Level == hostile.LevelOK) {
		f.Profile, f.At = "rdx", checkTime
	}
	if m.edit != nil {
		m.edit(&f)
	}
	return f
}

// everything is all files of the two folders: how they are made, by path.
func everything(t *testing.T) map[string]struct {
	hostile.File
	content func() []byte
} {
	all := make(map[string]struct {
		hostile.File
		content func() []byte
	})
	add := func(kind, reader string, lists ...[]made) {
		for _, m := range slices.Concat(lists...) {
			f := m.head(kind, reader)
			if _, twice := all[f.Path]; twice {
				t.Errorf("%s is made twice", f.Path)
			}
			all[f.Path] = struct {
				hostile.File
				content func() []byte
			}{f, m.content}
		}
	}
	add("keyfile", hostile.ReaderPrivate, privateRSA, privateForms, privateSealed, privateJSON)
	add("keyfile", hostile.ReaderCertificate, publicKeys, publicX5C)
	add("certificate", hostile.ReaderCertificate, certificateRules, certificateForms, notCertificates)
	return all
}

// TestWriteFiles makes what is missing with -update-files. Without, it holds the
// names of each file against what is written here: the content of a file that is
// there stays as it is, for its keys are random.
func TestWriteFiles(t *testing.T) {
	all := everything(t)
	for path, m := range all {
		name := filepath.Join(corpusDir, filepath.FromSlash(path))
		data, err := os.ReadFile(name)
		switch {
		case os.IsNotExist(err) && *updateFiles:
			m.Content = m.content()
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, m.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Errorf("%v: go test ./internal/hostile -run TestWriteFiles -update-files writes it", err)
		case !bytes.HasPrefix(data, m.Head()):
			t.Errorf("%s has other names than its maker writes: delete it and write it again", path)
		}
	}
	files, err := hostile.ReadFiles(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, known := all[f.Path]; !known {
			t.Errorf("%s: nothing here makes it", f.Path)
		}
	}
	if len(files) < 200 {
		t.Errorf("the corpus has %d key files and certificates", len(files))
	}
}
