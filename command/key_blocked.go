package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func keyBlocked() *cobra.Command {
	var page operation.Page
	c := &cobra.Command{Use: "blocked", Short: "List the keys that are blocked", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.Flags().IntVar(&page.Limit, "limit", 100, "maximum number")
	c.Flags().StringVar(&page.After, "after", "", "begin after this checksum, for the next page")
	input := func(*cobra.Command, []string) (operation.Page, error) { return page, nil }
	c.RunE = does(flags, operation.ListBlocked, input, func(c *cobra.Command, list operation.BlockedList) error {
		t := newTable("BLOCKED", "BY", "LIFTED")
		for _, b := range list.Blocked {
			row := t.add(dateText(b.At), b.By, dateText(b.Lifted))
			row.detail("SHA-256", b.SHA256)
			row.detail("reason", b.Reason)
			row.detail("lifted by", b.LiftedBy)
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		warnDamaged(c, list.Damaged)
		if list.More != "" {
			warn(c, "there are more: sealane key blocked --after %s", list.More)
		}
		return nil
	})
	return c
}
