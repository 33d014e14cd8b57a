package command

import (
	"github.com/spf13/cobra"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The record of every change: list, verify, export"}
	flags := addRegistryFlags(c)
	c.AddCommand(auditList(flags), auditVerify(flags), auditExport(flags), auditAnchor(flags))
	return c
}
