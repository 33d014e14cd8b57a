package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newInstalled() *cobra.Command {
	var in operation.Installation
	var list string
	c := &cobra.Command{
		Use:   "installed KEYPAIR",
		Short: "Record that the partner has installed your certificate",
		Long: `Installed records that the partner has installed the certificate of a key pair of yours.
Messages to the partner are signed by a first pair from now on. A pair that follows
another is so at once where one person decides. Elsewhere it waits for an order (sealane
activate), and in production say who has confirmed it and how (--said). The previously
active pair still opens messages (retiring).`,
		Example: `  sealane installed k-7k2m4q6z3x
  sealane installed k-7k2m4q6z3x --said "J. Roe, mail of 3 December"
  sealane installed k-7k2m4q6z3x --partner acme     # a pair that all partners share
  sealane installed k-7k2m4q6z3x --list confirmed.csv --said "mails of 3 December"`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.Partner, "partner", "",
		"who has installed it, for a key pair that all partners of a profile share")
	c.Flags().StringVar(&in.Said, "said", "", "who at the partner has said so, and how")
	c.Flags().StringVar(&list, "list", "",
		"a CSV file with a partner in each line, and perhaps who has said so")
	c.MarkFlagsMutuallyExclusive("list", "partner")
	input := func(_ *cobra.Command, args []string) (operation.Installation, error) {
		in.ID.ID = args[0]
		return in, nil
	}
	one := does(flags, operation.Installed, input, func(c *cobra.Command, s operation.InstalledStep) error {
		if s.State == operation.Staged {
			return writeStep(c, s.Step, "It is recorded that %s has installed the certificate of key pair %s. It "+
				"opens messages, and does not sign yet.", s.Partner, s.ID)
		}
		return writeStep(c, s.Step, "%s is %s.", noun(s.ID), s.State)
	})
	all := installedByAll(flags, &in, &list)
	c.RunE = func(c *cobra.Command, args []string) error {
		if list != "" {
			return all(c, args)
		}
		return one(c, args)
	}
	return c
}
