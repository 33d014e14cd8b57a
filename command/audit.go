package command

import (
	"github.com/spf13/cobra"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The record of every change: list, verify, export"}
	c.AddCommand(auditList(), auditReport(), auditVerify(), auditExport(), auditAnchor(), auditAnchors(),
		auditAccept())
	return c
}
