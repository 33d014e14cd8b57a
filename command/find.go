package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newFind() *cobra.Command {
	var in operation.Search
	c := &cobra.Command{
		Use:   "find TEXT",
		Short: "Find certificates, keys, partners and people by anything that is known of them",
		Long: `Find searches the registry for a text:

  an identity                     c-…, k-…, a-…, or the short name of a partner or person
  a key ID (alias)                or a part of it
  a serial number                 in decimal, or in hexadecimal with or without colons
  a fingerprint                   SHA-256 or SHA-1, of a certificate, its file or its key
  a common name, a mail address   or a part of it; also of contacts and people
  the name of a partner or person or a part of it
  an API key                      whole, its first characters, or its label

Capitals do not matter. Archived partners and revoked people are found too.`,
		Example: `  sealane find 4A:1F:00:C2
  sealane find pki@vcas.example
  sealane find rdx.bank`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().IntVar(&in.Limit, "limit", 50, "maximum number")
	input := func(_ *cobra.Command, args []string) (operation.Search, error) {
		in.Text = strings.Join(args, " ") // a fingerprint may have blanks
		return in, nil
	}
	c.RunE = does(flags, operation.Find, input, func(c *cobra.Command, found operation.Found) error {
		warnDamaged(c, found.Damaged)
		if len(found.Hits) == 0 {
			return say(c, "Nothing is found.")
		}
		t := newTable("WHAT", "IDENTITY", "PARTNER", "ENVIRONMENT", "STATE", "UNTIL")
		for _, h := range found.Hits {
			row := t.add(h.Kind, h.ID, h.Partner, h.Environment, h.State, dateText(h.Ends))
			row.detail("name", h.Name)
			row.detail("found by", h.By)
		}
		if err := t.write(c.OutOrStdout()); err != nil {
			return err
		}
		if found.More {
			warn(c, "there are more: write more of the text, or use --limit")
		}
		return nil
	})
	return c
}
