package command

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
		Use:   "block [FILE|SHA256…]",
		Short: "Block keys for good, such as those of another product",
		Long: `Block keeps keys out of the registry for good. They are named by files with a
certificate or a public key, or by SHA-256 checksums of public keys
(SubjectPublicKeyInfo), of certificates (DER), or of certificate files. Whatever uses
one of them is out of use at once, and listed. The reason should say whose they are.

A list (--list) has one checksum on each line, also as sha256sum and openssl write it.
Lines that begin with # are comments. If a file has a private key, its public key is
blocked.`,
		Example: `  sealane key block idplus.pem --reason "key of ID+, not of RiskOS"
  sealane key block --list idplus-keys.txt --reason "keys of ID+"`,
	}
	list := c.Flags().String("list", "",
		"file with a checksum on each line, such as an export of another product's keys")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
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
		ended, err := s.BlockKeys(c.Context(), sums)
		if err != nil {
			return err
		}
		said := "Nothing in the registry used one of them."
		if len(ended) > 0 {
			said = "Out of use at once: " + strings.Join(ended, ", ") + "."
		}
		return flags.say(c, map[string]any{"blocked": len(sums), "ended": ended},
			"%d public keys are blocked. %s", len(sums), said)
	})
	return c
}

// spkiSum returns the checksum of a public key that is named by it, or by a file.
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
	warn(c, "%s holds a private key; what is blocked is its public key, %s", printable(arg), leak.PublicKey)
	return leak.PublicKey[:], nil
}

// readSums reads a list of SHA-256 checksums as sha256sum, openssl or a spreadsheet
// write it, in UTF-8 or UTF-16: one on each line, with the name of a file or without.
// Lines that begin with # are comments. An error does not show the line: it may hold a
// secret.
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
			err := fmt.Errorf("%s, line %d: there is no SHA-256 checksum in it (64 hexadecimal digits)", name, number)
			return nil, &exit{exitFailed, err}
		}
		sums = append(sums, found...)
	}
	return sums, nil
}

// sumsIn returns the checksums of a line. It returns none if the line has something
// else in their place. A name may follow the first one.
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

// sumOf returns the SHA-256 checksum that text is, or nil. It ignores colons, hyphens
// and blanks between the digits, quotation marks, and the backslash with which
// sha256sum marks an escaped name.
func sumOf(text string) []byte {
	digits := strings.NewReplacer(":", "", "-", "", " ", "", "\t", "", `"`, "", `\`, "").Replace(text)
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return nil
	}
	return sum
}
