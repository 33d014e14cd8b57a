package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerList() *cobra.Command {
	var page operation.Page
	c := &cobra.Command{Use: "list", Short: "List partners", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.Flags().IntVar(&page.Limit, "limit", 100, "maximum number")
	c.Flags().StringVar(&page.After, "after", "", "begin after this partner, for the next page")
	input := func(*cobra.Command, []string) (operation.Page, error) { return page, nil }
	c.RunE = does(flags, operation.ListPartners, input, func(c *cobra.Command, list operation.PartnerList) error {
		t := newTable("PARTNER", "NAME", "PROFILE", "OUR SIDE", "SINCE")
		for _, p := range list.Partners {
			t.add(p.ID, p.Name, p.Profile, sideText(p.Side), dateText(p.Created))
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		if list.More != "" {
			warn(c, "there are more partners: sealane partner list --after %s", list.More)
		}
		return nil
	})
	return c
}
