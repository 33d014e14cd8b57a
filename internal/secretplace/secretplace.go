// Package secretplace reads secrets, such as passwords and tokens, from where a configuration file says that they are.
package secretplace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/readlimit"
)

// Place says where a secret is: file:PATH, env:NAME, credential:NAME (a credential of systemd), or
// exec:COMMAND, whose standard output is the secret. It never is the secret itself.
type Place string

var errForm = errors.New(
	"is not the place of a secret: give file:PATH, env:NAME, credential:NAME or exec:COMMAND; " +
		"the secret itself must not be in this file",
)

// UnmarshalText reads where a secret is. Its errors do not repeat the text: it may be the secret.
func (p *Place) UnmarshalText(text []byte) error {
	scheme, rest, _ := strings.Cut(string(text), ":")
	switch scheme {
	case "file", "env", "credential", "exec":
		if strings.TrimSpace(rest) == "" {
			return fmt.Errorf("has nothing behind the scheme %s", scheme)
		}
		*p = Place(text)
		return nil
	}
	return errForm
}

// SchemaPattern is the pattern of a secret's place.
func (*Place) SchemaPattern() string { return `^(file|env|credential|exec):.+$` }

const (
	maxSecret  = 64 << 10
	secretTime = 10 * time.Second
)

// Read returns the secret without the white space around it. Relative paths begin at dir.
func (p Place) Read(ctx context.Context, dir string) (string, error) {
	scheme, rest, _ := strings.Cut(string(p), ":")
	var (
		data []byte
		err  error
	)
	switch scheme {
	case "file":
		data, err = readlimit.SecretFile(in(rest, dir), maxSecret)
	case "credential":
		data, err = credential(rest)
	case "env":
		value, ok := os.LookupEnv(rest)
		if !ok {
			err = fmt.Errorf("the environment variable %s is not set", readlimit.ShownVariable(rest))
		}
		data = []byte(value)
	case "exec":
		data, err = output(ctx, dir, rest)
	default:
		err = errForm
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("the secret of %s is empty", scheme)
	}
	return text, nil
}

// File returns the path of the file that the secret is in, if it is in a file. A relative path begins at the folder
// of the configuration.
func (p Place) File() (path string, ok bool) { return strings.CutPrefix(string(p), "file:") }

// in returns a path as seen from the program.
func in(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// credential reads a credential of systemd.
func credential(name string) ([]byte, error) {
	path, err := credentialPath(name)
	if err != nil {
		return nil, err
	}
	return readlimit.SecretFile(path, maxSecret)
}

// credentialPath returns the path of a credential of systemd (systemd.exec(5), Credentials).
func credentialPath(name string) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case dir == "":
		return "", errors.New(
			"CREDENTIALS_DIRECTORY is not set: credential:NAME needs LoadCredential= in the unit file",
		)
	case name != filepath.Base(name) || name == "." || name == "..":
		return "", errors.New("the credential has no name, or one with slashes")
	}
	return filepath.Join(dir, name), nil
}

// output runs a command without a shell, and returns what it prints.
func output(ctx context.Context, dir, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTime)
	defer cancel()
	words := strings.Fields(command)
	program, err := findProgram(words[0], dir)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, program, words[1:]...)
	c.Dir, c.WaitDelay = dir, time.Second
	out := &limitedBuffer{full: cancel}
	c.Stdout = out
	if err := c.Run(); err != nil { // what it says on standard error may hold a secret
		return nil, fmt.Errorf("exec:%s: %w", filepath.Base(program), err)
	}
	return out.b.Bytes(), nil
}

// findProgram returns the path of a program. The errors do not name one that is not there: it may be the secret.
func findProgram(name, dir string) (string, error) {
	if !strings.ContainsAny(name, `/\`) {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", errors.New("exec: there is no such program in $PATH")
		}
		return path, nil
	}
	path := in(name, dir)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("exec: %w", readlimit.Hide(err))
	}
	return path, nil
}

// limitedBuffer takes no more than maxSecret bytes. It calls full for more.
type limitedBuffer struct {
	b    bytes.Buffer // not embedded: its ReadFrom knows no limit
	full func()
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > maxSecret {
		b.full()
		return 0, &readlimit.TooLargeError{Limit: maxSecret}
	}
	return b.b.Write(p)
}
