package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditAnchor() *cobra.Command {
	c := &cobra.Command{
		Use:   "anchor",
		Short: "Write the record's head to its anchors, also to those that have it; for a timer",
		Args:  cobra.NoArgs,
	}
	anchor := does(registryVerb(c), operation.AnchorAudit, nothing, func(c *cobra.Command, h operation.Head) error {
		return say(c, "The head is record %d, %x", h.Seq, h.Hash)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		err := anchor(c, args)
		if errors.Is(err, operation.ErrNoAnchor) {
			err = usage("name an anchor (--anchor, or $SEALANE_ANCHOR)")
		}
		return err
	}
	return c
}
