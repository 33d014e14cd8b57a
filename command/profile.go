package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/sandbox/trial"
	"github.com/sealane/sealane/profile"
)

func newProfile() *cobra.Command {
	c := &cobra.Command{
		Use:   "profile",
		Short: "Profiles (the protocols of partners): the embedded ones, and your own",
	}
	c.AddCommand(
		profileList(),
		profileShow(),
		profileCheck(),
		profileTry(),
		profileAdd(),
		profileChange(),
		profileRemove(),
	)
	return c
}

func profileList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the embedded profiles, and those of the registry",
		Long: `List lists the profiles that are part of the program and, where there is a registry and
you are logged in, those that were added to it.`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	write := func(c *cobra.Command, all []operation.ProfileFacts) error {
		t := newTable("PROFILE", "TITLE", "CLIENT", "SERVER", "WHERE")
		for _, p := range all {
			where := "registry"
			if p.Embedded {
				where = "program"
			}
			row := t.add(p.Name, p.Title, p.Client, p.Server, where)
			row.detail("damaged", p.Damaged)
		}
		return t.write(c.OutOrStdout())
	}
	list := does(flags, operation.ListProfiles, nothing, write)
	c.RunE = func(c *cobra.Command, args []string) error {
		err := list(c, args)
		_, file := operation.File(flags.database())
		named := c.Flags().Changed("db") || os.Getenv("SEALANE_DB") != ""
		switch {
		case errors.Is(err, errNobody) && (named || exists(flags.database())):
			warn(c, "the profiles of the registry are left out: %s", err)
		case errors.Is(err, errNobody), errors.Is(err, operation.ErrNoRegistry) && file && !named:
		default:
			return err
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), operation.EmbeddedProfiles())
		}
		return write(c, operation.EmbeddedProfiles())
	}
	return c
}

// exists reports whether a registry's address is that of a file which is there.
func exists(database string) bool {
	path, file := operation.File(database)
	_, err := os.Stat(path)
	return file && err == nil
}

func profileShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show NAME", Short: "Print a profile, as a start for your own", Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	write := func(c *cobra.Command, p operation.ProfileText) error {
		if flags.json {
			return writeJSON(c.OutOrStdout(), p)
		}
		_, err := io.WriteString(c.OutOrStdout(), p.Source)
		return err
	}
	show := does(flags, operation.ShowProfile, profileNamed, write)
	c.RunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(profile.Names(), args[0]) {
			err := show(c, args)
			if errors.Is(err, errNobody) || errors.Is(err, operation.ErrNoRegistry) {
				err = fmt.Errorf("profile %q is not one of the program: %w", args[0], err)
			}
			return err
		}
		p, err := operation.EmbeddedProfile(args[0])
		if err != nil {
			return err
		}
		return write(c, p)
	}
	return c
}

func profileCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Check a profile file, and say what is wrong with it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := profileFile(c, args[0])
			if err != nil {
				return err
			}
			p, err := profile.Parse(data)
			if err != nil {
				return refused(fmt.Errorf("%s: %w", args[0], err))
			}
			return say(c, "%s: %s is fine", p.Name, p.Title)
		},
	}
}

func profileTry() *cobra.Command {
	return &cobra.Command{
		Use:   "try NAME|FILE",
		Short: "Play both sides of a profile, and show what goes over the wire",
		Long: `Try makes keys for both sides, sends a message to every endpoint and back, and then a
message with every fault. It shows headers, bodies, tokens and errors, to compare with
the partner's documents. Nothing leaves this machine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := profile.Load(args[0])
			if err != nil {
				return err
			}
			return trial.Run(c.Context(), p, c.OutOrStdout())
		},
	}
}

// profileFile reads a file; a name without one is no text that was pasted.
func profileFile(c *cobra.Command, name string) ([]byte, error) {
	if _, err := os.Stat(name); err != nil {
		return nil, err
	}
	return readInput(c, name, maxProfile)
}

// profileNamed is the input of a verb that takes the name of a profile.
func profileNamed(_ *cobra.Command, args []string) (operation.ProfileName, error) {
	return operation.ProfileName{Name: args[0]}, nil
}

func profileAdd() *cobra.Command {
	c := &cobra.Command{
		Use:   "add FILE",
		Short: "Add a profile of your own to the registry",
		Long: `Add keeps a copy of a profile in the registry, so that its rules do not change without
a record. sealane partner add --profile FILE does the same for its partner.`,
		Args: cobra.ExactArgs(1),
	}
	input := func(c *cobra.Command, args []string) (operation.ProfileText, error) {
		data, err := profileFile(c, args[0])
		return operation.ProfileText{Source: string(data)}, err
	}
	c.RunE = does(
		registryVerb(c),
		operation.AddProfile,
		input,
		func(c *cobra.Command, p operation.ProfileName) error {
			return say(c, "Profile %s is in the registry.", p.Name)
		},
	)
	return c
}

func profileChange() *cobra.Command {
	c := &cobra.Command{
		Use:   "change NAME FILE",
		Short: "Change the rules of a profile of your own, for all partners who have it",
		Args:  cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	asksWhy(c)
	input := func(c *cobra.Command, args []string) (operation.ProfileText, error) {
		data, err := profileFile(c, args[1])
		return operation.ProfileText{Name: args[0], Source: string(data)}, err
	}
	c.RunE = does(flags, operation.ChangeProfile, input, func(c *cobra.Command, p operation.ProfileName) error {
		return say(c, "Profile %s is changed.", p.Name)
	})
	return c
}

func profileRemove() *cobra.Command {
	c := &cobra.Command{
		Use: "remove NAME", Short: "Remove a profile of your own that no partner has", Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.RunE = does(
		flags,
		operation.RemoveProfile,
		profileNamed,
		func(c *cobra.Command, p operation.ProfileName) error {
			return say(c, "Profile %s is removed.", p.Name)
		},
	)
	return c
}
