package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxInput bounds what is read from a file or standard input.
const maxInput = 64 << 20

// readInput reads a file, or standard input where name is "-" or missing. It gives up
// when the command is ended while it waits, for a pipe's writer or a person at the
// keyboard; what waits there ends with the process.
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
		data, err := readAll(c.InOrStdin(), name, limit)
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
	if len(got.data) > limit {
		return nil, fmt.Errorf("%s has more than %d MiB", shown, limit>>20)
	}
	return got.data, got.err
}

// readAll reads a file, or r where none is named: one byte beyond the limit at most.
func readAll(r io.Reader, name string, limit int) ([]byte, error) {
	if name != "" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	return io.ReadAll(io.LimitReader(r, int64(limit)+1))
}

// first gives the first argument, or the empty string.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// passphraseFlag adds --passphrase-file and gives how to find the passphrase:
// the file, the environment variable SEALANE_PASSPHRASE, or the terminal. Nil
// bytes mean that none was given.
func passphraseFlag(c *cobra.Command) func() ([]byte, error) {
	file := c.Flags().String("passphrase-file", "", "file with the passphrase of a private key (else $SEALANE_PASSPHRASE)")
	return func() ([]byte, error) {
		if *file != "" {
			data, err := readInput(c, *file, 64<<10)
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

// askPassphrase is for keys that turn out to be encrypted.
func askPassphrase(c *cobra.Command, given func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		p, err := given()
		if err != nil || p != nil {
			return p, err
		}
		stdin, ok := c.InOrStdin().(*os.File)
		if !ok || !term.IsTerminal(int(stdin.Fd())) {
			return nil, errors.New("the key is encrypted: give its passphrase by --passphrase-file or SEALANE_PASSPHRASE")
		}
		fmt.Fprint(c.ErrOrStderr(), "Passphrase: ")
		p, err = term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return p, err
	}
}

// secretFile reads one line that is a secret, such as an API key.
func secretFile(c *cobra.Command, name string) (string, error) {
	data, err := readInput(c, name, 64<<10)
	secret := strings.TrimSpace(string(data))
	if err == nil && (secret == "" || strings.ContainsAny(secret, "\r\n")) {
		err = fmt.Errorf("%s does not hold exactly one line", name)
	}
	return secret, err
}
