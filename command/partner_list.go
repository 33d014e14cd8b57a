package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func partnerList(flags *registryFlags) *cobra.Command {
	var page registry.Page
	c := &cobra.Command{Use: "list", Short: "List partners", Args: cobra.NoArgs}
	c.Flags().IntVar(&page.Limit, "limit", 100, "maximum number")
	c.Flags().StringVar(&page.After, "after", "", "begin after this partner, for the next page")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var list, more []registry.Partner
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			if list, err = tx.Partners(page); err != nil || len(list) == 0 {
				return err
			}
			more, err = tx.Partners(registry.Page{After: list[len(list)-1].ID, Limit: 1})
			return err
		})
		if err != nil {
			return err
		}
		err = flags.show(c, list, "PARTNER,NAME,PROFILE,WE ARE,SINCE", func(add func(...any)) {
			for _, p := range list {
				add(p.ID, p.Name, p.Profile, p.Side, p.Created)
			}
		})
		if err == nil && len(more) > 0 {
			warn(c, "there are more partners: sealane partner list --after %s", list[len(list)-1].ID)
		}
		return err
	})
	return c
}
