package command

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/operation"
)

// Every need that an act may have is a flag, and every command of an advice is one that the
// program takes.
func TestAdviceHasWords(t *testing.T) {
	for _, kind := range operation.NeedKinds() {
		if needs[kind] == nil {
			t.Errorf("there is no flag for %q", kind)
		}
	}
	for action := range verbs {
		line := commandFor(operation.Advice{
			Action: action, ID: "c-7k2m4q6z3x", Partner: "acme", Environment: "PROD",
		})
		if err := parses(strings.TrimPrefix(line, "sealane "), false); err != nil {
			t.Errorf("%s: %s: %v", action, line, err)
		}
	}
}

// Every act that an advice names has a command, which has a reason where the act needs one.
func TestAdviceIsComplete(t *testing.T) {
	action := regexp.MustCompile(`(?m)^\t(Action\w+) +Action = "([a-z.]+)"`)
	asks := regexp.MustCompile(`(?m)^\t(Action\w+): +\{roles: .*reason: true`)
	text, err := os.ReadFile("../internal/registry/permission.go")
	if err != nil {
		t.Fatal(err)
	}
	value, reason, seen := map[string]string{}, map[string]bool{}, 0
	for _, m := range action.FindAllStringSubmatch(string(text), -1) {
		value[m[1]] = m[2]
	}
	for _, m := range asks.FindAllStringSubmatch(string(text), -1) {
		reason[m[1]] = true
	}
	for _, folder := range []string{
		"../internal/registry", "../internal/exchange", "../internal/todo", "../internal/operation",
	} {
		eachFile(t, folder, func(file *ast.File) {
			ast.Inspect(file, func(n ast.Node) bool {
				advice, is := n.(*ast.CompositeLit)
				if !is || nameOf(advice.Type) != "Advice" {
					return true
				}
				name, needs := "", false
				for _, e := range advice.Elts {
					pair := e.(*ast.KeyValueExpr)
					switch nameOf(pair.Key) {
					case "Action":
						name = nameOf(pair.Value)
					case "Needs":
						needs = true
					}
				}
				if value[name] == "" {
					return true // it is in a variable, or there is none
				}
				seen++
				line := commandFor(operation.Advice{Action: operation.Action(value[name]), ID: "x", Partner: "x"})
				if line == "" {
					t.Errorf("%s: no command for %s", file.Name, name)
				}
				if reason[name] && !needs && !strings.Contains(line, "--reason") {
					t.Errorf("%s: the advice %s has no reason", file.Name, name)
				}
				return true
			})
		})
	}
	if seen < 15 || len(reason) < 20 {
		t.Errorf("%d advices and %d actions with a reason were found", seen, len(reason))
	}
}

// nameOf returns the last part of a name, or "".
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// Every operation is done by some command.
func TestEveryOperationHasACommand(t *testing.T) {
	used := map[string]bool{}
	eachFile(t, ".", func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "operation" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
	})
	for _, o := range operation.All() {
		if !used[o.Name] {
			t.Errorf("no command does %s", o.Name)
		}
	}
}

// Only this package, and the script of the demo, know the words of the command line: other
// packages say what is wrong, and what helps, as data.
func TestCommandWordsStayHere(t *testing.T) {
	names := make([]string, 0, 40)
	for _, c := range newRoot().Commands() {
		if !c.Runnable() { // a topic of the help
			continue
		}
		names = append(names, c.Name())
	}
	words := regexp.MustCompile(`(^|[^\w-])--[a-z][a-z-]+|sealane (` + strings.Join(names, "|") + `)\b`)
	eachFile(t, "..", func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err == nil && words.MatchString(text) {
					t.Errorf("%s: %q", file.Name, text)
				}
			}
			return true
		})
	})
}

// eachFile parses the Go files of a folder and, if it is another than this one, of those below.
func eachFile(t *testing.T, folder string, visit func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
			skip := folder != "." && (name == "command" || name == "cmd" || name == "interop" ||
				name == "internal/demo" || name == "internal/store/pgtest") ||
				strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2
			if skip || folder == "." && path != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			file.Name.Name = path
			visit(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
