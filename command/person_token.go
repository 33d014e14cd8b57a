package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func personToken(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "token PERSON",
		Short: "Replace a person's token that was lost or revoked",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		token, err := s.RenewToken(c.Context(), args[0])
		if err != nil {
			return err
		}
		return flags.say(c, map[string]string{"person": args[0], "token": token},
			"%s\n\nThis is the new token of %s; the old one is revoked. It is not shown again.", token, args[0])
	})
	return c
}
