//go:build unix

package sharedlib

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// trust is the rule for files that this process may execute code from: only the owners may be able to
// change what a path leads to.
type trust struct {
	root   string // where absolute paths begin: "/", except in tests
	owners []int  // user IDs
	sticky bool   // folders where others can write are accepted if they have the sticky bit
}

const maxLinks = 40 // as many as the kernel follows

// resolve returns the regular file that an absolute path leads to, without symbolic links, if the
// file, every folder and every link on the way belong to an owner and nobody else can write to them.
func (t trust) resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%s: the path is not absolute", path)
	}
	at, todo, links := t.root, strings.Split(path, "/"), 0
	if _, err := t.check(at); err != nil {
		return "", err
	}
	mode := fs.ModeDir
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if at != t.root {
				at = filepath.Dir(at)
			}
			continue
		}
		if !mode.IsDir() {
			return "", fmt.Errorf("%s: not a folder", at)
		}
		next := filepath.Join(at, name)
		found, err := t.check(next)
		if err != nil {
			return "", err
		}
		if found.Type() != fs.ModeSymlink {
			at, mode = next, found
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: more than %d symbolic links", path, maxLinks)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = t.root
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	if !mode.IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", at)
	}
	return at, nil
}

// check checks one name. The mode of a symbolic link means nothing: it can be changed by those who can
// write to its folder.
func (t trust) check(path string) (fs.FileMode, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !slices.Contains(t.owners, int(stat.Uid)) {
		return 0, fmt.Errorf("%s: not owned by user %v", path, t.owners)
	}
	kept := info.Mode().Type() == fs.ModeSymlink || t.sticky && info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if !kept && info.Mode().Perm()&0o022 != 0 {
		return 0, fmt.Errorf("%s: users other than its owner can write to it (mode %v)", path, info.Mode())
	}
	return info.Mode(), nil
}
