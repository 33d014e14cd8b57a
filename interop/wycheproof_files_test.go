package interop

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/rsaengine"
)

// groupsOf reads the groups of one of Wycheproof's files as a test needs them, and checks
// the file's own count.
func groupsOf[G any](t testing.TB, name string) []G {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ TestGroups []G }
	var raw struct {
		NumberOfTests int
		TestGroups    []struct{ Tests []json.RawMessage }
	}
	for _, into := range []any{&file, &raw} {
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	count := 0
	for _, g := range raw.TestGroups {
		count += len(g.Tests)
	}
	if count == 0 || count != raw.NumberOfTests {
		t.Fatalf("%s: %d cases were read of %d", name, count, raw.NumberOfTests)
	}
	return file.TestGroups
}

// results are the cases of a file by their result.
type results map[string][]vector

func (r results) add(class string, v vector) { r[class] = append(r[class], v) }

// compare checks the number of cases in each class, and that a case whose class contradicts
// its mark has a reason. It lists those cases.
func (r results) compare(t *testing.T, name string, want counts, reasons map[string]string) {
	t.Helper()
	got := counts{}
	for _, class := range slices.Sorted(maps.Keys(r)) {
		got[class] = len(r[class])
		var ids []int
		for _, v := range r[class] {
			if strings.HasSuffix(class, ", refused") != (v.Result == "invalid") && !slices.Contains(ids, v.ID) {
				ids = append(ids, v.ID)
			}
		}
		if len(ids) > 0 && reasons[class] == "" {
			t.Errorf("%s %v: %s, without a reason", name, ids, class)
		} else if len(ids) > 0 {
			t.Logf("deviation: %s %v: %s: %s", name, ids, class, reasons[class])
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// onEveryEngine runs judge with Go's crypto/rsa, and with the system's OpenSSL.
func onEveryEngine(t *testing.T, judge func(*testing.T, *rsaengine.Engine)) {
	for _, choice := range []string{rsaengine.Go, rsaengine.OpenSSL} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			r, err := rsaengine.Select(choice)
			if err != nil && choice == rsaengine.OpenSSL {
				t.Skipf("libcrypto.so.3 is missing: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			judge(t, r)
		})
	}
}

// keyByGo reads a key, which we may refuse, with Go alone.
func keyByGo(t testing.TB, pkcs8 string) *rsa.PrivateKey {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(unhex(t, pkcs8))
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// TestWycheproofFiles: a test reads every file of the module about our algorithms. JOSE's
// files name no algorithm, but the type of their groups.
func TestWycheproofFiles(t *testing.T) {
	t.Parallel()
	used := []string{gcmFile, jweFile, jwsFile, jwkFile, jwCryptoFile}
	for _, files := range []map[string]counts{oaepFiles, signatureFiles, signingFiles, pssFiles} {
		used = slices.AppendSeq(used, maps.Keys(files))
	}
	used = slices.AppendSeq(used, maps.Keys(cbcFiles))
	entries, err := fs.ReadDir(wycheproof.TestVectors, ".")
	if err != nil {
		t.Fatal(err)
	}
	got := counts{}
	for _, e := range entries {
		algorithm := algorithmOf(t, e.Name())
		switch {
		case algorithm == "RSAES-OAEP", algorithm == "RSASSA-PKCS1-v1_5", algorithm == "RSASSA-PSS",
			algorithm == "AES-GCM",
			slices.Contains(alg.Contents.Names(), algorithm), strings.HasPrefix(algorithm, "JsonWeb"):
			got[algorithm]++
			if !slices.Contains(used, e.Name()) {
				t.Errorf("%s: %s is ours, and no test reads it", e.Name(), algorithm)
			}
		case slices.Contains(used, e.Name()):
			t.Errorf("%s: %s is not ours", e.Name(), algorithm)
		}
	}
	if diff := gocmp.Diff(counts{
		"RSAES-OAEP": 25, "RSASSA-PKCS1-v1_5": 29, "RSASSA-PSS": 26, "AES-GCM": 1, "A128CBC-HS256": 1,
		"A256CBC-HS512":     1,
		"JsonWebEncryption": 1, "JsonWebSignature": 1, "JsonWebKey": 1, "JsonWebCrypto": 1,
	}, got); diff != "" {
		t.Error(diff)
	}
}

func algorithmOf(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Algorithm  string
		TestGroups []struct{ Type string }
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.TestGroups) == 0 {
		t.Fatalf("%s: %d groups, %v", name, len(file.TestGroups), err)
	}
	algorithm := cmp.Or(file.Algorithm, file.TestGroups[0].Type)
	if algorithm == "" {
		t.Errorf("%s: names neither an algorithm nor a type", name)
	}
	return algorithm
}
