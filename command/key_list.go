package command

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func keyList() *cobra.Command {
	var q operation.KeyQuery
	c := &cobra.Command{Use: "list", Short: "List your key pairs in the registry", Args: cobra.NoArgs}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "only those for this partner")
	f.StringVar(&q.Profile, "profile", "", "only those of this profile")
	f.StringVar(&q.Environment, "env", "", "only those of this environment")
	f.IntVar(&q.Limit, "limit", 100, "maximum number")
	f.StringVar(&q.After, "after", "", "begin after this one, for the next page")
	input := func(*cobra.Command, []string) (operation.KeyQuery, error) { return q, nil }
	c.RunE = does(flags, operation.ListKeys, input, func(c *cobra.Command, list operation.KeyList) error {
		t := newTable("KEY PAIR", "PROFILE", "PARTNER", "ENVIRONMENT", "STATE", "BITS", "UNTIL")
		for _, k := range list.Keys {
			row := t.add(k.ID, k.Profile, cmp.Or(k.Partner, "(all)"), k.Environment, k.State, k.Bits, dateText(k.Ends))
			row.detail("key ID", k.KeyID)
			if k.Partner == "" {
				row.detail("offers", offersText(k.Offers))
			}
			row.detail("exported", exportedText(k.Exported))
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		warnDamaged(c, list.Damaged)
		if list.More != "" {
			warn(c, "there are more key pairs: sealane key list --after %s", list.More)
		}
		return nil
	})
	return c
}

// offersText returns how many of the partners who were offered a key pair have installed it. It is empty
// if there are none.
func offersText(n operation.OfferCount) string {
	if n.Installed+n.Waiting == 0 {
		return ""
	}
	return fmt.Sprintf("installed by %d of %s", n.Installed, termtext.Counted(n.Installed+n.Waiting, "partner"))
}

// exportedText returns when a private key has left the registry. It is empty if it has not.
func exportedText(x operation.KeyExported) string {
	if x.At.IsZero() {
		return ""
	}
	return timeText(x.At) + " by " + x.By
}
