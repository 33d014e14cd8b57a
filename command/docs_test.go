package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/internal/operation"
)

// pages are the pages whose commands are tried.
var pages = []string{"../README.md", "../CONTRIBUTING.md", "../docs/*.md", "../docs/*/*.md"}

// pagesAhead describe commands that are not there yet. Remove them from here with the command.
var pagesAhead = []string{}

// TestDocsCommands parses every command line of the README and the docs: the command, its flags,
// and how many arguments it has. An ellipsis stands for something that is left out.
func TestDocsCommands(t *testing.T) {
	seen := 0
	for _, pattern := range pages {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if slices.Contains(pagesAhead, filepath.ToSlash(file)) {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			whole, named := commandLines(string(text))
			for i, line := range append(whole, named...) {
				seen++
				if err := parses(line, i < len(whole)); err != nil {
					t.Errorf("%s: %s\n%v", file, line, err)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d command lines were found", seen)
	}
}

// TestExamples parses the examples in the help of every command.
func TestExamples(t *testing.T) {
	seen := 0
	var each func(c *cobra.Command)
	each = func(c *cobra.Command) {
		whole, _ := commandLines(regexp.MustCompile(`(?m)^ +sealane`).ReplaceAllString(c.Example, "sealane"))
		for _, line := range whole {
			seen++
			if err := parses(line, true); err != nil {
				t.Errorf("%s: %s\n%v", c.CommandPath(), line, err)
			}
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(newRoot())
	if seen < 50 {
		t.Errorf("only %d examples were found", seen)
	}
}

var (
	// placeholder is a value that the reader has to replace.
	placeholder = regexp.MustCompile(`^[A-Z]+$|…`)

	inlineCode = regexp.MustCompile("`([^`\n]+(?:\n +[^`\n]+)?)`")
	codeLine   = regexp.MustCompile(`(?m)^(?:    |\t|\$ |> )?(sealane (?:[^\n\\]|\\[^\n]|\\\n)*)$`)
)

// commandLines returns the command lines of a page: those in blocks of code, which are whole, and
// those in a sentence, where the name of the program may be left out in a list of steps.
func commandLines(text string) (whole, named []string) {
	for _, m := range codeLine.FindAllStringSubmatch(text, -1) {
		line := regexp.MustCompile(`\\\n(?:> )?\s*`).ReplaceAllString(m[1], " ")
		whole = append(whole, strings.TrimPrefix(line, "sealane "))
	}
	verbs := map[string]bool{}
	for _, c := range newRoot().Commands() {
		verbs[c.Name()] = true
	}
	for _, m := range inlineCode.FindAllStringSubmatch(text, -1) {
		line, program := strings.CutPrefix(strings.Join(strings.Fields(m[1]), " "), "sealane ")
		first, rest, _ := strings.Cut(line, " ")
		if program || verbs[first] && strings.Contains(rest, " ") && regexp.MustCompile(`--|…`).MatchString(rest) {
			named = append(named, line)
		}
	}
	return whole, named
}

// parses returns an error if a command line is not one that the program takes. Of one that is not
// whole, only the words that are there are checked.
func parses(line string, whole bool) error {
	args := shellWords(strings.TrimSpace(line))
	whole = whole && !strings.Contains(line, "…")
	for i, arg := range args {
		if arg == ">" || arg == "|" || arg == "#" || strings.HasPrefix(arg, "2>") || arg == "&" || arg == "<" {
			args = args[:i]
			break
		}
	}
	root := newRoot()
	if len(args) > 0 && args[0] == "help" {
		_, _, err := root.Find(args[1:])
		return err
	}
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	named := c.Flags().Args()
	if f := c.Flags().Lookup("reason"); f != nil && f.Changed && !placeholder.MatchString(f.Value.String()) {
		if err := operation.CheckReason(f.Value.String()); err != nil {
			return err
		}
	}
	switch {
	case c.HasSubCommands() && len(named) > 0:
		return fmt.Errorf("%s is no command of %s", named[0], c.CommandPath())
	case !whole, c.HasSubCommands(), c.Flags().Changed("help"), c.Flags().Changed("version"):
		return nil
	}
	if err := c.ValidateRequiredFlags(); err != nil {
		return err
	}
	return c.ValidateArgs(named)
}

// shellWords splits a line as a shell does, without expansion.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, in := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// The help of every command fits a wide terminal.
func TestHelpFits(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 100 {
				t.Errorf("%s: a line of the help is too long: %s", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	root := newRoot()
	root.SetErr(io.Discard)
	visit(root)
}
