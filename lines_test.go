package sealane_test

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	codeWidth  = 119 // columns; a tab ends at the next multiple of tabWidth
	proseWidth = 100
	tabWidth   = 4
)

// TestLines checks that code fits in 119 columns and the prose of Markdown files in 100.
func TestLines(t *testing.T) {
	for _, file := range trackedFiles(t, ".go", ".sh", ".md") {
		limit, prose := codeWidth, path.Ext(file) == ".md"
		if prose {
			limit = proseWidth
		}
		fenced := false
		for i, line := range linesOf(t, file) {
			if prose && strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if n := columns(line); n > limit && !(prose && (fenced || !wraps(line))) {
				t.Errorf("%s:%d: %d columns, more than %d", file, i+1, n, limit)
			}
		}
	}
}

// wraps reports whether a line of Markdown can be broken: tables, indented code and long words,
// such as addresses, cannot.
func wraps(line string) bool {
	text := strings.TrimLeft(line, " ")
	return !strings.HasPrefix(text, "|") && len(line)-len(text) < 4 && strings.Contains(text, " ")
}

// columns returns the width of a line.
func columns(line string) int {
	n := 0
	for _, r := range line {
		if n++; r == '\t' {
			n += (tabWidth - n%tabWidth) % tabWidth
		}
	}
	return n
}

// trackedFiles lists the files with one of the extensions that git tracks, without the inputs of
// fuzz targets.
func trackedFiles(t *testing.T, extensions ...string) []string {
	out, err := exec.Command("git", "ls-files", "-z", "--deduplicate", "--cached", "--others", "--exclude-standard").
		Output()
	if err != nil {
		t.Skipf("git ls-files: %v", err)
	}
	var files []string
	for _, file := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		_, err := os.Lstat(file)
		if slices.Contains(extensions, path.Ext(file)) && !strings.Contains("/"+file, "/testdata/fuzz/") &&
			err == nil {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Fatal("git tracks no files here")
	}
	return files
}

func linesOf(t *testing.T, file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(data) {
		t.Errorf("%s is not UTF-8", file)
	}
	return strings.Split(string(data), "\n")
}
