package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func auditAnchor(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "anchor",
		Short: "Write the record's head to its anchors, also to those that have it; for a timer",
		Args:  cobra.NoArgs,
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, _ []string) error {
		if flags.anchorer == nil {
			return &exit{exitUsage, errors.New("name an anchor (--anchor, or $SEALANE_ANCHOR)")}
		}
		head, err := s.Registry.Anchor(c.Context(), flags.anchorer)
		if err = errors.Join(append(flags.unopened, err)...); err != nil {
			return &exit{exitFailed, err}
		}
		return flags.say(c, head, "The head is record %d, %x", head.Seq, head.Hash)
	})
	return c
}
