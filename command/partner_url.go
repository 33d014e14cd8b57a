package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerURL() *cobra.Command {
	c := &cobra.Command{
		Use:   "url PARTNER ENVIRONMENT URL",
		Short: "Set where a partner takes requests, for a gateway that calls it",
		Long: `Url sets where a partner takes the requests of an environment. A gateway with
"partner: path" sends requests there. It must be https with the name of a host, without
user and query.

In production it needs a second person: who can change the URL receives the requests,
and can forge answers that are not signed.`,
		Example: `  sealane partner url bank PROD https://rdx.bank.example/rdx`,
		Args:    cobra.ExactArgs(3),
	}
	flags := registryVerb(c)
	input := func(_ *cobra.Command, args []string) (operation.URLChange, error) {
		name := operation.LaneName{Partner: args[0], Environment: args[1]}
		return operation.URLChange{LaneName: name, URL: args[2]}, nil
	}
	c.RunE = does(flags, operation.SetURL, input, func(c *cobra.Command, e operation.Environment) error {
		return say(c, "Requests to %s in %s go to %s.", e.Partner, e.Name, printable(e.URL))
	})
	return c
}
