package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newStage() *cobra.Command {
	c := &cobra.Command{
		Use:   "stage CERTIFICATE",
		Short: "Let an approved certificate verify, and not encrypt yet",
		Long: `Stage is for a renewal without a fixed day: messages that the partner signs with the new
key are verified from now on, but yours are encrypted to the old one until sealane
activate.`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = does(registryVerb(c), operation.Stage, identity, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "Certificate %s is staged.", s.ID)
	})
	return c
}
