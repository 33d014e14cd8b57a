package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

func auditExport(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "export", Short: "Write the whole record as JSON lines", Args: cobra.NoArgs}
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		return v.View(c.Context(), func(tx registry.Tx) error {
			return audit.Export(c.Context(), tx, c.OutOrStdout())
		})
	})
	return c
}
