package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/operation"
)

func newStatus() *cobra.Command {
	var page operation.Lanes
	c := &cobra.Command{
		Use:        "status [PARTNER [ENVIRONMENT]]",
		Short:      "Show where each certificate is, what comes next, and who has to act",
		SuggestFor: []string{"list"},
		Long: `Status without a partner lists all lanes. With a partner it lists the certificates of
both sides, what comes next for each, and who has to act; and the renewals that are open,
with their deadlines, what each key may be used for, and the nodes that are behind.

With an environment it also checks everything that sealing and opening messages needs:
it opens the private keys, makes the lane, and seals a message with it. The exit code
is 3 if something is missing.`,
		Example: `  sealane status
  sealane status vcas
  sealane status vcas STAG`,
		Args: cobra.MaximumNArgs(2),
	}
	flags := registryVerb(c)
	c.Flags().IntVar(&page.Limit, "limit", 100, "maximum number of partners in the list of all")
	c.Flags().StringVar(&page.After, "after", "", "begin after this partner, for the next page")
	all := does(flags, operation.AllStatus,
		func(*cobra.Command, []string) (operation.Lanes, error) { return page, nil }, writeOverview)
	one := does(flags, operation.PartnerStatus,
		func(_ *cobra.Command, args []string) (operation.ID, error) { return operation.ID{ID: args[0]}, nil },
		writePartnerLanes)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return all(c, args)
		case 1:
			return one(c, args)
		}
		return laneStatus(c, flags, operation.LaneName{Partner: args[0], Environment: args[1]})
	}
	return c
}

func laneStatus(c *cobra.Command, flags *registryFlags, lane operation.LaneName) error {
	return flags.session(c, func(s *operation.Session) error {
		status, err := operation.Status.Do(c.Context(), s, lane)
		switch {
		case err != nil:
			return err
		case flags.json:
			err = writeJSON(c.OutOrStdout(), status)
		default:
			writeChecks(c.OutOrStdout(), status.Checks)
			fmt.Fprintln(c.OutOrStdout())
			if err = writeStandings(c, status.Certificates); err == nil {
				err = writeOpenRenewals(c, status.Renewals)
			}
		}
		if err == nil && !status.Ready {
			err = refused(errors.New("not ready: see the lines with ✗"))
		}
		return err
	})
}

func writeOverview(c *cobra.Command, o operation.Overview) error {
	t := newTable("PARTNER", "ENVIRONMENT", "OURS", "THEIRS", "WAITING FOR")
	for _, lane := range o.Lanes {
		row := t.add(lane.Partner, lane.Environment, lane.Ours, lane.Theirs, lane.WaitingFor)
		for _, rule := range lane.Loosened {
			row.details = append(row.details, "! "+printable(rule))
		}
		row.detail("damaged", lane.Damaged)
	}
	if err := t.write(c.OutOrStdout()); err != nil {
		return err
	}
	warnDamaged(c, o.Damaged)
	for _, r := range o.Requests {
		fmt.Fprintf(c.OutOrStdout(), "\nRequest %s by %s: %s of %s\n  %s\n",
			r.ID, r.By, r.Action, printable(r.Subject), requestState(r))
	}
	if o.More != "" {
		warn(c, "there are more partners: sealane status --after %s", o.More)
	}
	return nil
}

// writePartnerLanes lists the certificates of a partner, after the rules that were loosened for it.
func writePartnerLanes(c *cobra.Command, p operation.PartnerLanes) error {
	for _, lane := range p.Lanes {
		for _, rule := range lane.Loosened {
			if err := say(c, "! %s: %s", lane.Environment, printable(rule)); err != nil {
				return err
			}
		}
	}
	if err := writeStandings(c, p.Certificates); err != nil {
		return err
	}
	return writeOpenRenewals(c, p.Renewals)
}

func writeStandings(c *cobra.Command, list []operation.Used) error {
	if len(list) == 0 {
		return say(c, "No certificate yet.")
	}
	t := newTable("IDENTITY", "WHOSE", "ENVIRONMENT", "STATE", "UNTIL", "WAITING FOR")
	for _, s := range list {
		row := t.add(cmp.Or(s.KeyPair, s.Certificate), s.Owner, s.Environment, s.State, dateText(s.NotAfter),
			s.Next.Waits)
		row.detail("key ID", s.KeyID)
		row.detail("since", dateText(s.Since))
		row.detail("last used", lastUseText(s.LastUse))
		row.detail("successor due", dateText(s.Due))
		row.detail("damaged", s.Damaged)
		row.details = append(row.details, "next: "+nextLines(s.Next, "          "))
	}
	return t.write(c.OutOrStdout())
}

// lastUseText returns when a key was used last. It is empty for one that was not used.
func lastUseText(last operation.LastUse) string {
	var parts []string
	if !last.In.IsZero() {
		parts = append(parts, timeText(last.In)+" for a message of the partner")
	}
	if !last.Out.IsZero() {
		parts = append(parts, timeText(last.Out)+" for one of ours")
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " (not audited)"
}

var marks = map[cert.Level]string{cert.OK: "✓", cert.Warning: "!", cert.Refused: "✗", cert.Waived: "!"}

func writeChecks(w io.Writer, checks []operation.Check) {
	for _, one := range checks {
		fmt.Fprintf(w, "%s %s: %s\n", marks[one.Level], one.Name, cellText(one.Found))
		next := operation.Next{Text: one.Remedy, Advice: one.Next}
		if text := nextLines(next, "      "); text != "" {
			fmt.Fprintf(w, "    → %s\n", text)
		}
	}
}

// writeStep reports that an operation succeeded, and what the next step is.
func writeStep(c *cobra.Command, s operation.Step, format string, args ...any) error {
	if err := say(c, format, args...); err != nil {
		return err
	}
	return sayNext(c, s.Next)
}

func sayNext(c *cobra.Command, n operation.Next) error { return say(c, "Next: %s", nextLines(n, "  ")) }

// noun returns what an identity is the identity of, with the identity.
func noun(id string) string {
	if operation.IsKeyPair(id) {
		return "Key pair " + id
	}
	return "Certificate " + id
}
