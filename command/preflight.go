package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func newPreflight() *cobra.Command {
	var all bool
	page := operation.Lanes{Limit: 100}
	c := &cobra.Command{
		Use:   "preflight [PARTNER ENVIRONMENT | --all]",
		Short: "Check that messages of one lane, or of all lanes, can be sealed and opened",
		Long: `Preflight checks everything that sealing and opening messages of a lane needs: it opens
the private keys, makes the lane, and seals a message with it. With --all it does so for
every lane, and writes a line for each. The exit code is 3 if a lane is not ready.

With --all and --json, each lane is a line of JSON.`,
		Example: `  sealane preflight acme PROD
  sealane preflight --all`,
		Args: cobra.MaximumNArgs(2),
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&all, "all", false, "check all lanes")
	c.Flags().StringVar(&page.After, "after", "", "with --all: begin after this partner")
	c.RunE = func(c *cobra.Command, args []string) error {
		if all != (len(args) == 0) || len(args) == 1 {
			return usage("name a partner and an environment, or give --all")
		}
		return flags.session(c, func(s *operation.Session) error {
			if all {
				return preflightAll(c, flags, s, page)
			}
			lane := operation.LaneName{Partner: args[0], Environment: args[1]}
			out, err := operation.Preflight.Do(c.Context(), s, lane)
			if err != nil {
				return err
			}
			if flags.json {
				err = writeJSON(c.OutOrStdout(), out)
			} else {
				writeChecks(c.OutOrStdout(), out.Checks)
			}
			if err == nil && !out.Ready {
				err = refused(errors.New("not ready: see the lines with ✗"))
			}
			return err
		})
	}
	return c
}

// preflightAll checks a page of partners after the other.
func preflightAll(c *cobra.Command, flags *registryFlags, s *operation.Session, page operation.Lanes) error {
	count, not, unread := 0, 0, 0
	for {
		out, err := operation.PreflightAll.Do(c.Context(), s, page)
		if err != nil {
			return err
		}
		warnDamaged(c, out.Damaged)
		unread += len(out.Damaged)
		for _, lane := range out.Lanes {
			if count++; !lane.Ready {
				not++
			}
			if err := writeReady(c, flags, lane); err != nil {
				return err
			}
		}
		if page.After = out.More; page.After == "" {
			break
		}
	}
	if not+unread > 0 {
		return refused(fmt.Errorf("%d of %s not ready", not+unread, termtext.Counted(count+unread, "lane")))
	}
	if flags.json {
		return nil
	}
	return say(c, "%s ready.", termtext.Counted(count, "lane"))
}

// writeReady writes the line of a lane.
func writeReady(c *cobra.Command, flags *registryFlags, lane operation.LaneReady) error {
	if flags.json {
		return encodeJSON(c.OutOrStdout(), lane, "")
	}
	mark, level := marks[cert.OK], cert.Warning
	switch {
	case !lane.Ready:
		mark, level = marks[cert.Refused], cert.Refused
	case len(lane.Checks) > 0:
		mark = marks[cert.Warning]
	}
	var found []string
	for _, one := range lane.Checks {
		if one.Level == level || level == cert.Warning {
			found = append(found, one.Name+": "+one.Found)
		}
	}
	line := fmt.Sprintf("%s %s %s", mark, lane.Partner, lane.Environment)
	if len(found) > 0 {
		line += ": " + strings.Join(found, "; ")
	}
	return say(c, "%s", printable(line))
}
