package command

import (
	"github.com/spf13/cobra"
)

func newKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Key IDs, private keys in other formats, and your key pairs in the registry",
	}
	c.AddCommand(
		keyCreate(), keyImport(), keyExport(), keyList(), keyDestroy(), keyBlock(), keyUnblock(), keyBlocked(),
		newKeyID(), newKeyConvert())
	return c
}
