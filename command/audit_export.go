package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func auditExport() *cobra.Command {
	c := &cobra.Command{Use: "export", Short: "Write the whole record as JSON lines", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return flags.session(c, func(s *operation.Session) error {
			_, err := operation.ExportAudit.Do(c.Context(), s, c.OutOrStdout())
			return err
		})
	}
	return c
}
