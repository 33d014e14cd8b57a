// Package sharedlib finds the files of shared libraries that this process may load: files that only
// root, or the user who runs the program, can change.
package sharedlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// System returns the path of a library of the system, such as libcrypto.so.3. It looks in the folders
// of the Linux distributions and in no others, whatever the environment says. Only root may be able to
// change the file and the folders that lead to it. The error wraps fs.ErrNotExist if there is no such
// file.
func System(name string) (path string, err error) {
	var refused []string
	for _, folder := range folders() {
		path, err := trust{root: "/", owners: []int{0}}.resolve(folder + "/" + name)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			refused = append(refused, err.Error())
		}
	}
	if refused == nil {
		return "", fmt.Errorf("%s is not in %s: %w", name, strings.Join(folders(), ", "), fs.ErrNotExist)
	}
	return "", errors.New(strings.Join(refused, "; "))
}

func folders() []string {
	multiarch := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	return []string{"/usr/lib/" + multiarch, "/lib/" + multiarch, "/usr/lib64", "/lib64", "/usr/lib", "/lib"}
}

// Named returns the file that an operator names by its absolute path, without symbolic links. Only root
// and the user who runs the program may be able to change the file and the folders that lead to it. A
// folder where all may write is accepted if it has the sticky bit, as /tmp has: others cannot replace
// the files there.
func Named(path string) (string, error) {
	return trust{root: "/", owners: []int{0, os.Geteuid()}, sticky: true}.resolve(path)
}
