package command

import (
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
	c.RunE = does(registryVerb(c), operation.RenewToken, personNamed,
		func(c *cobra.Command, t operation.PersonToken) error {
			return say(c, "%s\n\nThis is the new token of %s; the old one is revoked. It is not shown again.",
				t.Token, t.Person)
		})
	return c
}
