package command

import (
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Key IDs, private keys in other formats, and your key pairs in the registry",
	}
	c.AddCommand(newKeyID(), newKeyConvert())
	flags := &registryFlags{}
	for _, sub := range []*cobra.Command{
		keyCreate(flags), keyImport(flags), keyExport(flags), keyList(flags),
		keyRetire(flags), keyDestroy(flags), keyCompromised(flags), keyBlock(flags),
	} {
		flags.addTo(sub.Flags()) // and not to the group: id and convert need no registry
		c.AddCommand(sub)
	}
	return c
}
