package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
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

// readSums reads a list of SHA-256 checksums as tools write it: one a line, with a
// file's name or without, by sha256sum, openssl or a spreadsheet, in UTF-8 or UTF-16.
// Lines that begin with # are comments. What a line that can't be read holds is not in
// the error: it may be anything.
func readSums(c *cobra.Command, name string) ([][]byte, error) {
	data, err := readInput(c, name, maxInput)
	if err != nil {
		return nil, err
	}
	text, _, err := transform.Bytes(unicode.BOMOverride(unicode.UTF8.NewDecoder()), data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var sums [][]byte
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		found := sumsIn(line)
		if len(found) == 0 {
			return nil, &exit{exitFailed, fmt.Errorf("%s, line %d: there is no SHA-256 checksum in it (64 hexadecimal digits)", name, number)}
		}
		sums = append(sums, found...)
	}
	return sums, nil
}

// sumsIn gives the checksums of a line; none where it has something else in their
// place. Behind the first one there may be a name.
func sumsIn(line string) [][]byte {
	// SHA256(file)= …, SHA256 (file) = …, sha256 Fingerprint=…, sha256:…
	for _, word := range []string{"sha256", "sha2-256"} {
		if len(line) > len(word) && strings.EqualFold(line[:len(word)], word) {
			if rest, plain := strings.CutPrefix(line[len(word):], ":"); plain {
				line = rest
			} else {
				line = line[strings.LastIndexByte(line, '=')+1:]
			}
			break
		}
	}
	if sum := sumOf(line); sum != nil {
		return [][]byte{sum}
	}
	var sums [][]byte
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
	for _, word := range words {
		if sum := sumOf(word); sum != nil {
			sums = append(sums, sum)
		}
	}
	if len(sums) == 0 || len(sums) < len(words) && sumOf(words[0]) == nil {
		return nil
	}
	if len(sums) < len(words) {
		return sums[:1] // the rest is a name
	}
	return sums
}

// sumOf reads one SHA-256 checksum: colons, hyphens and blanks between the digits,
// quotation marks, and sha256sum's sign of an escaped name do not matter.
func sumOf(text string) []byte {
	sum, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", " ", "", "\t", "", `"`, "", `\`, "").Replace(text))
	if err != nil || len(sum) != sha256.Size {
		return nil
	}
	return sum
}

// isTerminal reports whether w is one, for colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}
