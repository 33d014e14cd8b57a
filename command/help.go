package command

import (
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addHelp makes the help of a command show its own flags only, and adds the topic that explains
// those of the registry.
func addHelp(root *cobra.Command) {
	addTemplates()
	root.SetUsageTemplate(usageTemplate)
	topic := &cobra.Command{
		Use:   "registry",
		Short: "Where the registry, the root key and your token are: flags and variables",
	}
	var f registryFlags
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.addTo(set)
	topic.Long = `These flags belong to every command that uses the registry.

` + set.FlagUsagesWrapped(columns) + `
Acts that end or loosen something ask for --reason. With --json a command writes what it
has done, and an error, for programs.`
	root.AddCommand(topic)
}

// addTemplates adds the functions of usageTemplate, which all commands share, and keeps the
// commands in the order of an exchange.
var addTemplates = sync.OnceFunc(func() {
	cobra.EnableCommandSorting = false
	cobra.AddTemplateFunc("ownFlags", func(c *cobra.Command) string {
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[shared] == nil {
				own.AddFlag(f)
			}
		})
		return strings.TrimRight(own.FlagUsagesWrapped(columns), "\n ")
	})
	cobra.AddTemplateFunc("usesRegistry", func(c *cobra.Command) bool {
		f := c.Flags().Lookup("db")
		return f != nil && f.Annotations[shared] != nil
	})
})

const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$all := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $all}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $all}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{with ownFlags .}}

Flags:
{{.}}{{end}}{{if usesRegistry .}}

For --db, --root-key, --token-file, --anchor, --json and --reason: sealane help registry{{end -}}
{{if .HasAvailableSubCommands}}

For more about a command: {{.CommandPath}} COMMAND --help{{end}}
`
