//go:build unix

package sharedlib

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrust builds small file systems. Files of other owners cannot be made without root,
// so the rule has another owner.
func TestTrust(t *testing.T) {
	me := os.Getuid()
	for name, c := range map[string]struct {
		owner  int
		path   string
		build  func(t *testing.T, root string)
		want   string // relative to the root; empty: refused
		reason string
	}{
		"plain": {me, "/usr/lib/l.so",
			file("usr/lib/l.so", 0o644), "usr/lib/l.so", ""},
		"executable": {me, "/usr/lib/l.so",
			file("usr/lib/l.so", 0o755), "usr/lib/l.so", ""},
		"relative": {me, "usr/lib/l.so",
			file("usr/lib/l.so", 0o644), "", "not absolute"},
		"absent": {me, "/usr/lib/l.so",
			func(*testing.T, string) {}, "", "no such file"},
		"a user's": {me + 1, "/usr/lib/l.so",
			file("usr/lib/l.so", 0o644), "", "not owned"},
		"group can write": {me, "/usr/lib/l.so",
			file("usr/lib/l.so", 0o664), "", "users other than its owner"},
		"all can write": {me, "/usr/lib/l.so",
			file("usr/lib/l.so", 0o646), "", "users other than its owner"},
		"folder that all can write": {me, "/usr/lib/l.so",
			both(file("usr/lib/l.so", 0o644), mode("usr/lib", 0o777)), "", "usr/lib: users other"},
		"sticky folder": {me, "/usr/lib/l.so",
			both(file("usr/lib/l.so", 0o644), mode("usr/lib", 0o777|fs.ModeSticky)), "", "usr/lib: users other"},
		"higher folder": {me, "/usr/lib/l.so",
			both(file("usr/lib/l.so", 0o644), mode("usr", 0o775)), "", "usr: users other"},
		"link in the same folder": {me, "/usr/lib/l.so",
			both(file("usr/lib/l.so.3.0", 0o644), link("usr/lib/l.so", "l.so.3.0")), "usr/lib/l.so.3.0", ""},
		"link of a folder": {me, "/lib/l.so",
			both(file("usr/lib/l.so", 0o644), link("lib", "usr/lib")), "usr/lib/l.so", ""},
		"absolute link": {me, "/lib/l.so",
			both(file("usr/lib/l.so", 0o644), link("lib", "/usr/lib")), "usr/lib/l.so", ""},
		"link up": {me, "/usr/lib/l.so",
			both(file("opt/l.so", 0o644), link("usr/lib/l.so", "../../opt/l.so")), "opt/l.so", ""},
		"link above root": {me, "/usr/lib/l.so",
			both(file("opt/l.so", 0o644), link("usr/lib/l.so", "../../../../opt/l.so")), "opt/l.so", ""},
		"link to a file that all can write": {me, "/usr/lib/l.so",
			both(file("opt/l.so", 0o666), link("usr/lib/l.so", "/opt/l.so")), "", "opt/l.so: users other"},
		"link to a folder that all can write": {me, "/usr/lib/l.so",
			both(file("opt/l.so", 0o644), mode("opt", 0o777), link("usr/lib/l.so", "/opt/l.so")),
			"", "opt: users other"},
		"link by way of such a folder": {me, "/usr/lib/l.so",
			both(file("opt/l.so", 0o644), file("tmp/x", 0o644),
				link("tmp/l.so", "/opt/l.so"), mode("tmp", 0o777), link("usr/lib/l.so", "/tmp/l.so")),
			"", "tmp: users other"},
		"link to itself": {me, "/usr/lib/l.so",
			link("usr/lib/l.so", "l.so"), "", "symbolic links"},
		"broken link": {me, "/usr/lib/l.so",
			link("usr/lib/l.so", "gone"), "", "no such file"},
		"a folder":         {me, "/usr/lib/l.so", file("usr/lib/l.so/x", 0o644), "", "not a regular file"},
		"below a file":     {me, "/usr/lib/l.so/x", file("usr/lib/l.so", 0o644), "", "not a folder"},
		"back from a file": {me, "/usr/lib/l.so/../l.so", file("usr/lib/l.so", 0o644), "", "not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			c.build(t, root)
			got, err := trust{root: root, owners: []int{c.owner}}.resolve(c.path)
			if c.want != "" {
				if want := filepath.Join(root, c.want); got != want || err != nil {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			} else if got != "" || err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %q, %v; want a refusal with %q", got, err, c.reason)
			}
		})
	}
}

type builder = func(t *testing.T, root string)

func both(steps ...builder) builder {
	return func(t *testing.T, root string) {
		for _, s := range steps {
			s(t, root)
		}
	}
}

func file(path string, mode fs.FileMode) builder {
	return func(t *testing.T, root string) {
		path := filepath.Join(root, path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("x"), 0o644))
		must(t, os.Chmod(path, mode))
	}
}

func mode(path string, mode fs.FileMode) builder {
	return func(t *testing.T, root string) { must(t, os.Chmod(filepath.Join(root, path), mode)) }
}

func link(path, target string) builder {
	return func(t *testing.T, root string) {
		path := filepath.Join(root, path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.Symlink(target, path))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
