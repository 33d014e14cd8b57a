package command

import (
	"github.com/spf13/cobra"
)

func newCert() *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "Make, check and show certificates"}
	c.AddCommand(newCertCreate(), newCertCheck(), newCertShow(), newCertConvert())
	return c
}
