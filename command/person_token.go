package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token PERSON",
		Short: "Replace a person's token that was lost or revoked",
		Long: `Token replaces a person's token. As soon as there is another approver, that of another
operator, approver or administrator waits for the approval of another person: who has the
token is that person.`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return flags.session(c, func(s *operation.Session) error {
			t, err := operation.RenewToken.Do(c.Context(), s, operation.PersonName{Person: args[0]})
			uncertain := errors.Is(err, operation.ErrUncertain)
			switch {
			case err != nil && !uncertain:
				return err
			case flags.json:
				return errors.Join(err, writeJSON(c.OutOrStdout(), t))
			case uncertain: // one of the two is valid
				return errors.Join(err, say(c, "%s\n\nThis is the new token of %s if the change was stored. "+
					"Else the old one is valid still.", t.Token, t.Person))
			}
			return say(c, "%s\n\nThis is the new token of %s; the old one is revoked. It is not shown again.",
				t.Token, t.Person)
		})
	}
	return c
}
