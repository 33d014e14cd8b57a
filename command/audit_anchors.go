package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditAnchors() *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use:   "anchors [ADDRESS…]",
		Short: "Show or set the places that every program writes the record's head to",
		Long: `Anchors shows the anchors of the registry, or sets them: second places outside the
database, with another owner, that every program writes each new head of the record to.
An address is file:PATH, syslog:, syslog+udp://HOST:PORT or https://…. --anchor adds
further ones for one command.`,
		Example: `  sealane audit anchors file:/mnt/audit/heads.jsonl --reason "agreed with the auditor"`,
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().BoolVar(&none, "none", false, "the registry has no anchors from now on")
	show := does(flags, operation.ListAnchors, nothing, writeAnchors)
	input := func(_ *cobra.Command, args []string) (operation.AnchorAddresses, error) {
		return operation.AnchorAddresses{Anchors: args}, nil
	}
	set := does(flags, operation.SetAnchors, input, writeAnchors)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case none && len(args) > 0:
			return usage("--none takes no address")
		case none || len(args) > 0:
			return set(c, args)
		}
		return show(c, args)
	}
	return c
}

func writeAnchors(c *cobra.Command, a operation.AnchorAddresses) error {
	if len(a.Anchors) == 0 {
		return say(c, "The registry has no anchors: nothing outside the database confirms its record.")
	}
	for _, address := range a.Anchors {
		if err := say(c, "%s", printable(address)); err != nil {
			return err
		}
	}
	return nil
}
