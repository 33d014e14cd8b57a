package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newInit() *cobra.Command {
	var p operation.Person
	var roles []string
	var show bool
	c := &cobra.Command{
		Use:   "init NAME",
		Short: "Make a registry, its root key, and its first person: you",
		Long: `Init makes the registry (--db) and a new file with its root key (--root-key), and adds
you as its first person, under a short name, which the audit log shows. Your token is
kept in a file of your user account, as sealane login keeps it.

Keep a copy of the root key in a safe place, apart from the backups: without it the
registry's private keys are lost.`,
		Example: `  sealane init anna --name "Anna Ruiz" --email anna@bank.example`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "full name")
	f.StringVar(&p.Email, "email", "", "mail address")
	f.StringVar(&p.Telephone, "telephone", "", "telephone number, which the letters to partners show")
	f.StringSliceVar(&roles, "role", []string{"operator"},
		"further roles, in addition to administrator: several with commas, or repeated")
	f.BoolVar(&show, "show-token", false, "print the token, and do not keep it")
	c.RunE = func(c *cobra.Command, args []string) error {
		p.ID, p.Roles = args[0], parseRoles(roles)
		config, err := flags.config(c)
		if err != nil {
			return err
		}
		made, err := operation.Init(c.Context(), config, p)
		if errors.Is(err, operation.ErrFounded) {
			return fmt.Errorf("%w (sealane person add)", err)
		}
		if err != nil && made.Token == "" {
			return err
		}
		kept := ""
		if !show {
			file := loginFile(flags.database())
			if failed := keepToken(file, made.Token); failed != nil {
				err = errors.Join(err, failed)
			} else {
				kept = file
			}
		}
		if err != nil && kept == "" { // the token is not lost
			warn(c, "this is your token: %s", made.Token)
		}
		if err != nil {
			return err
		}
		if kept != "" {
			made.Token = ""
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), made)
		}
		return sayFounded(c, config.Database, made, kept)
	}
	return c
}

func sayFounded(c *cobra.Command, database string, made operation.Founded, kept string) error {
	if err := say(c, "The registry %s is made. %s is its first administrator.", database, made.Person); err != nil {
		return err
	}
	if made.RootKey != "" {
		err := say(c, "The root key is in %s. Keep a copy in a safe place, apart from the backups:\n"+
			"without it the registry's private keys are lost.", absolute(made.RootKey))
		if err != nil {
			return err
		}
	}
	if kept == "" {
		return say(c, "\n%s\n\nThis is your token. It is not shown again.", made.Token)
	}
	return say(c, "You are logged in: your token is in %s.\n"+
		"Next: sealane partner add --help, and a second person: sealane person add --help", kept)
}
