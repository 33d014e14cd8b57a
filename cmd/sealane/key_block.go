package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

func keyBlock(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "block [FILE|SHA256…]", Short: "Block keys that may never come in, such as another product's",
		Long: `Block takes certificates or public keys in files, or SHA-256 checksums of public keys
(SubjectPublicKeyInfo), of certificates (DER) or of their files, and keeps them out of the
registry for good. What is in use with one is out of use at once, and named. Give the
reason: whose they are. A list (--list) has a checksum a line, as sha256sum and
openssl write it, too; lines that begin with # are comments. Of a file with a private
key, its public key is blocked.`,
		Example: `  sealane key block idplus.pem --reason "key of ID+, not of RiskOS"
  sealane key block --list idplus-keys.txt --reason "keys of ID+"`,
	}
	list := c.Flags().String("list", "", "file with one checksum a line, such as an export of another product's keys")
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		var sums [][]byte
		for _, arg := range args {
			sum, err := spkiSum(c, arg)
			if err != nil {
				return err
			}
			sums = append(sums, sum)
		}
		if *list != "" {
			listed, err := readSums(c, *list)
			if err != nil {
				return err
			}
			sums = append(sums, listed...)
		}
		slices.SortFunc(sums, bytes.Compare)
		sums = slices.CompactFunc(sums, bytes.Equal)
		ended, err := d.BlockKeys(c.Context(), sums, flags.reason)
		if err != nil {
			return err
		}
		said := "Nothing here had one of them."
		if len(ended) > 0 {
			said = "Out of use at once: " + strings.Join(ended, ", ") + "."
		}
		return flags.said(c, map[string]any{"blocked": len(sums), "ended": ended}, "%d public keys are blocked. %s", len(sums), said)
	})
	return c
}

// spkiSum gives the checksum of a public key that is named by it, or by a file.
func spkiSum(c *cobra.Command, arg string) ([]byte, error) {
	if sum := sumOf(arg); sum != nil {
		return sum, nil
	}
	file, err := readCertificate(c, arg)
	var leak *keyfile.PrivateKeyError
	switch {
	case err == nil:
		return registry.SPKISum(file.PublicKey)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; and it is no SHA-256 checksum (64 hexadecimal digits)", err)
	case !errors.As(err, &leak):
		return nil, err
	case leak.PublicKey.IsZero():
		return nil, fmt.Errorf("%w\nTo block it, name its certificate, or the SHA-256 of its public key", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "sealane: %s holds a private key; what is blocked is its public key, %s\n", printable(arg), leak.PublicKey)
	return leak.PublicKey[:], nil
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
