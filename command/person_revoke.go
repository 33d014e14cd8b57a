package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func personRevoke(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "revoke PERSON", Short: "Revoke a person's token", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := s.RevokePerson(c.Context(), args[0]); err != nil {
			return err
		}
		return flags.say(c, map[string]string{"revoked": args[0]}, "The token of %s is revoked", args[0])
	})
	return c
}
