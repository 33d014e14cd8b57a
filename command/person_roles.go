package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func personRoles(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "roles PERSON ROLE…", Short: "Change a person's roles", Args: cobra.MinimumNArgs(2)}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		to := parseRoles(args[1:])
		if err := s.SetRoles(c.Context(), args[0], to); err != nil {
			return err
		}
		return flags.say(c, map[string]any{"person": args[0], "roles": to},
			"%s is %s now", args[0], strings.Join(args[1:], " and "))
	})
	return c
}
