package command

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/profile"
)

func newProfile() *cobra.Command {
	c := &cobra.Command{Use: "profile", Short: "List, show and check profiles (the protocols of partners)"}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the embedded profiles", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range profile.Names() {
				p, err := profile.Load(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%-8s %s (client: %s, server: %s)\n",
					name, p.Title, p.Parties.Client, p.Parties.Server)
			}
			return nil
		},
	}, &cobra.Command{
		Use: "show NAME", Short: "Print an embedded profile, as a start for your own", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			source, err := profile.Source(args[0])
			if err == nil {
				_, err = c.OutOrStdout().Write(source)
			}
			return err
		},
	}, &cobra.Command{
		Use: "check FILE", Short: "Check a profile file, and say what is wrong with it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return err
			}
			data, err := readInput(c, args[0], maxProfile)
			if err != nil {
				return err
			}
			p, err := profile.Parse(data)
			if err != nil {
				return refused(fmt.Errorf("%s: %w", args[0], err))
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s is fine\n", p.Name, p.Title)
			return nil
		},
	})
	return c
}
