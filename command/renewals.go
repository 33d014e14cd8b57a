package command

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newRenewals() *cobra.Command {
	var q operation.RenewalQuery
	var steps []string
	var ours, theirs bool
	c := &cobra.Command{
		Use:   "renewals",
		Short: "List renewals: from a key to the one that follows it",
		Long: `Renewals lists the changes from a key or certificate to its successor, with the step of
each, what comes next, and who has to act. Those that have ended are kept.`,
		Example: `  sealane renewals --open
  sealane renewals --open --partner acme --env PROD
  sealane renewals --step staged --step loaded --json`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.BoolVar(&q.Open, "open", false, "only those that have not ended")
	f.StringArrayVar(&steps, "step", nil, "only those in this step, such as offered; repeat it for several")
	f.StringVar(&q.Partner, "partner", "", "only those of this partner")
	f.StringVar(&q.Environment, "env", "", "only those of this environment")
	f.BoolVar(&ours, "ours", false, "only of your key pairs")
	f.BoolVar(&theirs, "theirs", false, "only of certificates of partners")
	f.IntVar(&q.Limit, "limit", 100, "maximum number")
	f.StringVar(&q.After, "after", "", "begin after this renewal, for the next page")
	c.MarkFlagsMutuallyExclusive("ours", "theirs")
	input := func(*cobra.Command, []string) (operation.RenewalQuery, error) {
		for _, step := range steps {
			q.Steps = append(q.Steps, operation.RenewalStep(step))
		}
		switch {
		case ours:
			q.Owner = operation.Ours
		case theirs:
			q.Owner = operation.Theirs
		}
		return q, nil
	}
	c.RunE = does(flags, operation.ListRenewals, input, func(c *cobra.Command, list operation.RenewalList) error {
		warnDamaged(c, list.Damaged)
		if len(list.Renewals) == 0 {
			return say(c, "No renewal.")
		}
		if err := writeRenewals(c, list.Renewals); err != nil {
			return err
		}
		if list.Silent {
			warn(c, "no schedule runs, and a renewal waits for it (the last time was %s): see sealane schedule --help",
				cmp.Or(timeText(list.Scheduled), "never"))
		}
		if list.More != "" {
			warn(c, "there are more renewals: sealane renewals --after %s", list.More)
		}
		return nil
	})
	return c
}

// writeRenewals lists renewals.
func writeRenewals(c *cobra.Command, list []operation.RenewalStanding) error {
	t := newTable("RENEWAL", "PARTNER", "ENVIRONMENT", "WHOSE", "STEP", "WAITING FOR")
	for _, n := range list {
		row := t.add(n.ID, cmp.Or(n.Partner, "all of "+n.Profile), n.Environment, n.Owner, n.Step, n.Next.Waits)
		row.detail("change", n.Replaces+" → "+cmp.Or(n.Successor, "no successor yet"))
		for _, fact := range renewalDates(n) {
			row.detail(fact.name, fact.text)
		}
		if n.Closed.IsZero() {
			row.details = append(row.details, "next: "+nextLines(n.Next, "          "))
		}
	}
	return t.write(c.OutOrStdout())
}

// writeOpenRenewals lists the open renewals of a partner, with what each key is used for.
func writeOpenRenewals(c *cobra.Command, list []operation.ShownRenewal) error {
	if len(list) == 0 {
		return nil
	}
	if err := say(c, ""); err != nil {
		return err
	}
	t := newTable("RENEWAL", "ENVIRONMENT", "WHOSE", "STEP", "WAITING FOR")
	for _, n := range list {
		row := t.add(n.ID, n.Environment, n.Owner, n.Step, n.Next.Waits)
		for _, k := range n.Keys {
			row.detail(k.ID+" ("+string(k.State)+")", useText(n.Owner == operation.Ours, k))
		}
		if n.Successor == "" {
			row.detail("successor", "none yet")
		}
		for _, fact := range renewalDates(n.Standing) {
			row.detail(fact.name, fact.text)
		}
		row.detail("nodes without", strings.Join(n.Nodes, ", "))
		row.details = append(row.details, "next: "+nextLines(n.Next, "          "))
	}
	return t.write(c.OutOrStdout())
}
