package command

import (
	"github.com/spf13/cobra"
)

func newPartner() *cobra.Command {
	c := &cobra.Command{Use: "partner", Short: "Partners in the registry: environments, contacts, API keys"}
	flags := addRegistryFlags(c)
	c.AddCommand(
		partnerAdd(flags), partnerEnvironment(flags), partnerList(flags), partnerShow(flags),
		partnerContact(flags), partnerAPIKey(flags), partnerImport(flags), partnerExport(flags))
	return c
}
