package command

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyfile"
)

func keyBlock() *cobra.Command {
	c := &cobra.Command{
		Use:   "block [FILE|SHA256…]",
		Short: "Block keys permanently, such as those of another product",
		Long: `Block keeps keys out of the registry permanently. They are named by files with a
certificate or a public key, or by SHA-256 checksums of public keys
(SubjectPublicKeyInfo), of certificates (DER), or of certificate files. Every
certificate and key pair that uses one of them ends at once, and is listed. The reason
should say whose keys they are.

A list (--list) has one checksum on each line, in any form that tools write.
Lines that begin with # are comments. If a file has a private key, its public key is
blocked.`,
		Example: `  sealane key block idplus.pem --reason "key of ID+, not of RiskOS"
  sealane key block --list idplus-keys.txt --reason "keys of ID+"`,
	}
	flags := registryVerb(c)
	asksWhy(c)
	list := c.Flags().String("list", "",
		"file with a checksum on each line, such as an export of another product's keys")
	input := func(c *cobra.Command, args []string) (in operation.Block, err error) {
		for _, arg := range args {
			sum, err := spkiSum(c, arg)
			if err != nil {
				return in, err
			}
			in.SHA256 = append(in.SHA256, sum)
		}
		if *list != "" {
			listed, err := readSums(c, *list)
			if err != nil {
				return in, err
			}
			in.SHA256 = append(in.SHA256, listed...)
		}
		slices.SortFunc(in.SHA256, bytes.Compare)
		in.SHA256 = slices.CompactFunc(in.SHA256, bytes.Equal)
		return in, nil
	}
	c.RunE = does(flags, operation.BlockKeys, input, func(c *cobra.Command, b operation.Blocked) error {
		ended := "Nothing in the registry used one of them."
		if len(b.Ended) > 0 {
			ended = "Ended at once: " + strings.Join(b.Ended, ", ") + "."
		}
		return say(c, "Blocked: %s. %s", termtext.Counted(b.Count, "checksum"), ended)
	})
	return c
}

// spkiSum returns the checksum of a public key, which is named by the checksum or by a
// file.
func spkiSum(c *cobra.Command, arg string) ([]byte, error) {
	if sum := sumOf(arg); sum != nil {
		return sum, nil
	}
	file, err := readCertificate(c, arg)
	var leak *keyfile.PrivateKeyError
	switch {
	case err == nil:
		return operation.SPKISum(file.PublicKey)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; and it is not a SHA-256 checksum (64 hexadecimal digits)", err)
	case !errors.As(err, &leak):
		return nil, err
	case leak.PublicKey.IsZero():
		return nil, fmt.Errorf("%w\nTo block it, name its certificate, or the SHA-256 of its public key", err)
	}
	warn(c, "%s holds a private key; what is blocked is its public key, %s", printable(arg), leak.PublicKey)
	return leak.PublicKey[:], nil
}

// readSums reads a list of SHA-256 checksums in any form that tools and spreadsheets write.
// Each line must hold one, except for comments, which begin with #, and for the lines that
// tools write around checksums. An error does not contain the line, which may hold a
// secret.
func readSums(c *cobra.Command, name string) ([][]byte, error) {
	data, err := readInput(c, name, maxInput)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(pasted.Clean(data), "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines[i] = ""
		}
	}
	found, doubts := pasted.Checksums([]byte(strings.Join(lines, "\n")))
	holds := make([]bool, len(lines)+1)
	var sums [][]byte
	for _, s := range found {
		if len(s.Octets) == sha256.Size && s.Sure {
			sums, holds[s.Line] = append(sums, s.Octets), true
		}
	}
	why := map[int]string{}
	for _, d := range doubts {
		why[d.Line] = ": " + d.Text
	}
	for i, line := range lines {
		if holds[i+1] || why[i+1] == "" && pasted.IsToolLine(line) {
			continue
		}
		return nil, &exit{
			exitFailed,
			fmt.Errorf("%s, line %d: there is no SHA-256 checksum in it (64 hexadecimal digits)%s",
				name, i+1, why[i+1]),
		}
	}
	return sums, nil
}

// sumOf returns the only SHA-256 checksum in a text, or nil.
func sumOf(text string) []byte {
	found, _ := pasted.Checksums([]byte(text))
	if len(found) != 1 || len(found[0].Octets) != sha256.Size || !found[0].Sure {
		return nil
	}
	return found[0].Octets
}
