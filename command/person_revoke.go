package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personRevoke() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke PERSON",
		Short: "Revoke a person's token",
		Long: `Revoke ends the use of a token at once. Administrators revoke anybody's, with a reason;
everybody may revoke their own. The last administrator stays.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return flags.session(c, func(s *operation.Session) error {
			var err error
			if name := (operation.PersonName{Person: args[0]}); name.Person == s.Person().ID {
				_, err = operation.EndToken.Do(c.Context(), s, operation.None{})
			} else {
				_, err = operation.RevokePerson.Do(c.Context(), s, name)
			}
			switch {
			case err != nil:
				return err
			case flags.json:
				return writeJSON(c.OutOrStdout(), operation.None{})
			}
			return say(c, "The token of %s is revoked.", printable(args[0]))
		})
	}
	return c
}
