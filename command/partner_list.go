package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerList() *cobra.Command {
	var page operation.PartnerQuery
	c := &cobra.Command{Use: "list", Short: "List partners", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.Flags().IntVar(&page.Limit, "limit", 100, "maximum number")
	c.Flags().StringVar(&page.After, "after", "", "begin after this partner, for the next page")
	c.Flags().BoolVar(&page.Archived, "archived", false, "list archived partners too")
	input := func(*cobra.Command, []string) (operation.PartnerQuery, error) { return page, nil }
	c.RunE = does(flags, operation.ListPartners, input, func(c *cobra.Command, list operation.PartnerList) error {
		t := newTable("PARTNER", "NAME", "PROFILE", "OUR SIDE", "SINCE")
		for _, p := range list.Partners {
			row := t.add(p.ID, p.Name, p.Profile, sideText(p.Side), dateText(p.Created))
			row.detail("archived", dateText(p.Archived))
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		warnDamaged(c, list.Damaged)
		if list.More != "" {
			also := ""
			if page.Archived {
				also = " --archived"
			}
			warn(c, "there are more partners: sealane partner list --after %s%s", list.More, also)
		}
		return nil
	})
	return c
}
