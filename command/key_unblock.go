package command

import (
	"crypto/sha256"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func keyUnblock() *cobra.Command {
	c := &cobra.Command{
		Use:   "unblock FILE|SHA256",
		Short: "Lift the block of a key, if a second person agrees",
		Long: `Unblock lets a key come in again that was blocked by mistake. It is named by a file with
its certificate or public key, or by the SHA-256 that the block names (sealane key
blocked). What the block has ended stays ended. If there is another approver, they must
approve the request.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	input := func(c *cobra.Command, args []string) (in operation.BlockedSum, err error) {
		if in.SHA256, err = spkiSum(c, args[0]); err != nil || sumOf(args[0]) != nil {
			return in, err
		}
		data, err := readInput(c, args[0], maxInput)
		if err != nil {
			return in, err
		}
		file := sha256.Sum256(data)
		in.Also = [][]byte{file[:]}
		if of, err := readCertificate(c, args[0]); err == nil && len(of.Certificates) > 0 {
			der := sha256.Sum256(of.Certificates[0].Raw)
			in.Also = append(in.Also, der[:])
		}
		return in, nil
	}
	c.RunE = does(flags, operation.UnblockKey, input, func(c *cobra.Command, _ operation.None) error {
		return say(c, "The block is lifted. The key may come in again.")
	})
	return c
}
