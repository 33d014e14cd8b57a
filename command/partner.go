package command

import (
	"github.com/spf13/cobra"
)

func newPartner() *cobra.Command {
	c := &cobra.Command{Use: "partner", Short: "Partners in the registry: environments, contacts, API keys"}
	c.AddCommand(
		partnerAdd(), partnerEnvironment(), partnerList(), partnerShow(), partnerContact(), partnerURL(),
		partnerAPIKey(), partnerImport(), partnerChange(), partnerArchive(), partnerRestore(), partnerRemove())
	return c
}
