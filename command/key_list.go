package command

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func keyList(flags *registryFlags) *cobra.Command {
	var q registry.KeyPairQuery
	c := &cobra.Command{Use: "list", Short: "List your key pairs in the registry", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "only those for this partner")
	f.StringVar(&q.Profile, "profile", "", "only those of this profile")
	f.StringVar(&q.Environment, "env", "", "only those of this environment")
	f.IntVar(&q.Limit, "limit", 100, "maximum number")
	f.StringVar(&q.After, "after", "", "begin after this one, for the next page")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var pairs []registry.KeyPair
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			pairs, err = tx.KeyPairs(q)
			return err
		})
		if err != nil {
			return err
		}
		const head = "KEY PAIR,PROFILE,PARTNER,ENVIRONMENT,STATE,BITS,KEY ID (ALIAS),CUSTODIAN,SINCE"
		return flags.show(c, pairs, head, func(add func(...any)) {
			for _, k := range pairs {
				add(k.ID, k.Profile, cmp.Or(k.Partner, "(all)"), k.Environment,
					k.State, k.Bits, k.KeyID, k.Custodian, k.Changed)
			}
		})
	})
	return c
}
