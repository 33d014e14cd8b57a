package alg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/alg"
)

// proseAbout lists the packages whose texts for people may name algorithms, and which.
// These texts are not compared with messages or used to select a cipher.
var proseAbout = map[string][]string{
	"command":          {"RSA-OAEP"}, // help of --accept-rsa-oaep
	"fault/catalog.go": {"RSA-OAEP"}, // the fault that this option lets pass
	// titles of steps with the shipped profiles
	"internal/demo":      {"RS256", "RSA-OAEP-256", "RSA-OAEP", "A256GCM"},
	"internal/hostile":   {"RSA-OAEP"},                   // a line of the test corpus: Accept-RSA-OAEP
	"internal/libcrypto": {"RSA-OAEP", "RS256", "PS256"}, // says which operations OpenSSL is asked for
	"internal/rsapad":    {"RSA-OAEP", "RS256", "PS256"}, // the same of the bare operations
	"internal/sandbox":   {"RSA-OAEP"},                   // help of the stand-ins' faults
	"internal/malform":   {"RSA-OAEP"},                   // names that only begin so, as RSA-OAEP-512
	"internal/inspect":   {"RSA-OAEP"},                   // the same
}

// noPrimitives are the packages that must leave hashing and encryption to the table: they
// must not import the packages for it.
var noPrimitives = []string{".", "profile", "sealhttp", "internal/jose"}

var primitives = regexp.MustCompile(`^crypto/(aes|cipher|hmac|md5|sha1|sha256|sha3|sha512)$`)

// noSizes are the packages that must not contain the lengths of keys, initialization
// vectors, tags and moduli as numbers, except shifted ones (16 << 10 is a limit).
var noSizes = []string{".", "profile", "keyring", "internal/jose"}

var sizes = []string{"12", "16", "24", "32", "48", "256", "384", "512", "2048", "3072", "4096"}

// TestOnlyTable checks that algorithms are defined only in this package, as far as their
// names, primitives and lengths can be found in the source. It cannot find a length that is
// computed, or a number in a package with cryptography of its own (inspect and malform read
// and make wrong messages; libcrypto is RSA itself).
func TestOnlyTable(t *testing.T) {
	const root = "../.."
	names := slices.Concat(alg.Signatures.Names(), alg.KeyEncryptions.Names(), alg.Contents.Names())
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // RSA-OAEP-256 before RSA-OAEP
	for i := range names {
		names[i] = regexp.QuoteMeta(names[i])
	}
	named := regexp.MustCompile(`\b(` + strings.Join(names, "|") + `)\b`)
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if d.IsDir() &&
			(name == "internal/alg" || name == "interop" || strings.HasPrefix(d.Name(), ".") && name != "." ||
				d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		checkFile(t, path, name, named)
		return nil
	})
	if err != nil || files < 100 {
		t.Errorf("%d files were read: %v", files, err)
	}
}

func checkFile(t *testing.T, path, name string, named *regexp.Regexp) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for prefix, list := range proseAbout {
		if strings.HasPrefix(name, prefix) {
			for _, n := range list {
				allowed[n] = true
			}
		}
	}
	folder := filepath.ToSlash(filepath.Dir(name))
	for _, spec := range file.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); slices.Contains(noPrimitives, folder) &&
			primitives.MatchString(path) {
			t.Errorf("%s imports %s: let the table do it", name, path)
		}
	}
	shifted := map[ast.Node]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Tag != nil {
				shifted[n.Tag] = true // a struct tag is no text
			}
		case *ast.BinaryExpr:
			if n.Op == token.SHL {
				shifted[n.X], shifted[n.Y] = true, true
			}
		case *ast.BasicLit:
			at := set.Position(n.Pos())
			switch {
			case shifted[n]:
			case n.Kind == token.INT && slices.Contains(noSizes, folder) && slices.Contains(sizes, n.Value):
				t.Errorf("%s:%d: the number %s: is it a length of the table?", name, at.Line, n.Value)
			case n.Kind == token.STRING:
				for _, found := range named.FindAllString(n.Value, -1) {
					text, _ := strconv.Unquote(n.Value)
					if !allowed[found] || strings.Trim(text, `"`) == found {
						t.Errorf("%s:%d: %.60s spells %s: take it from the table", name, at.Line, n.Value, found)
					}
				}
			}
		}
		return true
	})
}
