package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerURL() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "url PARTNER ENVIRONMENT {URL | --remove}",
		Short: "Set where a partner takes requests, for a gateway that calls it",
		Long: `Url sets where a partner takes the requests of an environment. A gateway with
"partner: path" sends requests there. It must be https with the name of a host, without
user and query.

In production it needs a second person: who can change the URL receives the requests,
and can forge answers that are not signed. With --remove gateways send no more requests
to the partner; that needs no second person.`,
		Example: `  sealane partner url bank PROD https://rdx.bank.example/rdx
  sealane partner url bank PROD --remove`,
		Args: func(c *cobra.Command, args []string) error {
			if remove {
				return cobra.ExactArgs(2)(c, args)
			}
			return cobra.ExactArgs(3)(c, args)
		},
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&remove, "remove", false, "remove the URL")
	lane := func(_ *cobra.Command, args []string) (operation.LaneName, error) {
		return operation.LaneName{Partner: args[0], Environment: args[1]}, nil
	}
	input := func(c *cobra.Command, args []string) (operation.URLChange, error) {
		name, err := lane(c, args)
		return operation.URLChange{LaneName: name, URL: args[2]}, err
	}
	set := does(flags, operation.SetURL, input, func(c *cobra.Command, e operation.Environment) error {
		return say(c, "Requests to %s in %s go to %s.", e.Partner, e.Name, printable(e.URL))
	})
	unset := does(flags, operation.RemoveURL, lane, func(c *cobra.Command, e operation.Environment) error {
		return say(c, "The URL of %s in %s is removed. Gateways send no more requests there.", e.Partner, e.Name)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if remove {
			return unset(c, args)
		}
		return set(c, args)
	}
	return c
}
