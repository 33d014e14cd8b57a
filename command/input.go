package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretfile"
)

// Limits in bytes.
const (
	maxInput   = 64 << 20 // payloads, and lists
	maxProfile = 1 << 20  // profiles
	maxSecret  = 64 << 10 // passphrases, API keys, challenges
)

// readInput reads a file of at most limit bytes. The names "-" and "" mean standard
// input. It returns an error when the command's context ends while it waits, such as
// for a pipe's writer or for the keyboard. The goroutine that waits ends with the
// process.
func readInput(c *cobra.Command, name string, limit int) ([]byte, error) {
	shown := name
	if name == "" || name == "-" {
		name, shown = "", "standard input"
	}
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		if name != "" {
			data, err := readlimit.File(name, limit)
			done <- result{data, err}
			return
		}
		data, err := readlimit.All(c.InOrStdin(), limit)
		done <- result{data, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-c.Context().Done():
		return nil, fmt.Errorf("%s: ended while it was read: %w", shown, context.Cause(c.Context()))
	}
	var at *fs.PathError
	if got.err != nil && !errors.As(got.err, &at) {
		return nil, fmt.Errorf("%s: %w", shown, got.err)
	}
	return got.data, got.err
}

// first returns the first argument, or an empty string.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// passphraseFlag adds --passphrase-file. It returns a function that returns the
// passphrase from that file or from $SEALANE_PASSPHRASE, or nil if there is none.
func passphraseFlag(c *cobra.Command) func() ([]byte, error) {
	file := c.Flags().String("passphrase-file", "",
		"file with the passphrase of a private key (default: the passphrase itself in $SEALANE_PASSPHRASE)")
	return func() ([]byte, error) {
		if *file != "" {
			data, err := readPassphrase(c, *file)
			if data = bytes.TrimRight(data, "\r\n"); err == nil && len(data) == 0 {
				err = fmt.Errorf("%s holds no passphrase", *file)
			}
			return data, err
		}
		if p, ok := os.LookupEnv("SEALANE_PASSPHRASE"); ok {
			if p == "" {
				return nil, errors.New("SEALANE_PASSPHRASE is set, but empty: give a passphrase, or unset it")
			}
			return []byte(p), nil
		}
		return nil, nil
	}
}

// readPassphrase reads a file with a passphrase. One that lasts must not be readable by others;
// a pipe may be.
func readPassphrase(c *cobra.Command, name string) ([]byte, error) {
	if info, err := os.Stat(name); name == "-" || err != nil || !info.Mode().IsRegular() {
		data, err := readInput(c, name, maxSecret)
		return data, readlimit.Hide(err)
	}
	data, err := secretfile.Read(name, maxSecret)
	if err != nil {
		err = fmt.Errorf("passphrase file %s: %w", readlimit.Shown(name), err)
	}
	return data, err
}

// askPassphrase is for keys that are encrypted: if no passphrase was given, the user is
// asked at the terminal.
func askPassphrase(c *cobra.Command, given func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		p, err := given()
		if err != nil || p != nil {
			return p, err
		}
		stdin, ok := c.InOrStdin().(*os.File)
		if !ok || !term.IsTerminal(int(stdin.Fd())) {
			return nil, errors.New(
				"the key is encrypted: give its passphrase by --passphrase-file or SEALANE_PASSPHRASE")
		}
		fmt.Fprint(c.ErrOrStderr(), "Passphrase: ")
		p, err = term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return p, err
	}
}

// askSecret asks for a secret at the terminal, or reads standard input where it is none.
func askSecret(c *cobra.Command, prompt string) (secret []byte, err error) {
	if stdin, ok := c.InOrStdin().(*os.File); ok && term.IsTerminal(int(stdin.Fd())) {
		fmt.Fprint(c.ErrOrStderr(), prompt)
		secret, err = term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return secret, err
	}
	return readInput(c, "-", maxSecret)
}

// secretFile reads a file with one line that is a secret, such as an API key.
func secretFile(c *cobra.Command, name string) (string, error) {
	data, err := readInput(c, name, maxSecret)
	err = readlimit.Hide(err)
	secret := strings.TrimSpace(string(pasted.Secret(data)))
	if err == nil && (secret == "" || strings.ContainsAny(secret, "\r\n")) {
		err = fmt.Errorf("%s does not hold exactly one line", name)
	}
	return secret, err
}
