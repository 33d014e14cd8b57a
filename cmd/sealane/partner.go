package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

func newPartner() *cobra.Command {
	c := &cobra.Command{Use: "partner", Short: "Partners in the registry: environments, contacts, API keys"}
	flags := addRegistryFlags(c)
	c.AddCommand(partnerAdd(flags), partnerEnvironment(flags), partnerList(flags), partnerShow(flags), partnerContact(flags), partnerAPIKey(flags), partnerImport(flags), partnerExport(flags))
	return c
}

func partnerAdd(flags *registryFlags) *cobra.Command {
	var p registry.Partner
	var env registry.Environment
	var side, sealing, caller string
	c := &cobra.Command{
		Use: "add PARTNER", Short: "Add a partner, with a first environment", Args: cobra.ExactArgs(1),
		Long: `Add adds a partner under a short name, which the other commands use.

--side says which side YOU are: client if you call the partner (a RiskOS customer;
VCAS), server if the partner calls you (a RiskOS provider; an RDX issuer).
--sealing must be said: required refuses messages in clear, optional lets them pass.`,
		Example: `  sealane partner add socure --name "Socure" --profile riskos --side client --env SANDBOX --sealing required
  sealane partner add vcas --name "VCAS" --profile rdx --side server --env STAG --sealing required --caller mutual-tls`,
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "the partner's full name (required)")
	f.StringVar(&p.Profile, "profile", "", "dialect: riskos, rdx, or a profile file (required)")
	f.StringVar(&side, "side", "", "which side you are: client or server (required)")
	environmentFlags(c, &env, &sealing, &caller)
	for _, name := range []string{"name", "profile", "side"} {
		must(c.MarkFlagRequired(name))
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		p.ID = args[0]
		if err := p.Side.UnmarshalText([]byte(side)); err != nil {
			return &exit{exitUsage, err}
		}
		err := d.Store.View(c.Context(), func(tx registry.Tx) error {
			_, err := tx.Partner(p.ID)
			return err
		})
		if err == nil {
			return fmt.Errorf("partner %s: %w", p.ID, registry.ErrExists)
		}
		if err := ownDialect(c, d, &p, flags.reason); err != nil {
			return err
		}
		if err := d.AddPartner(c.Context(), p, flags.reason); err != nil {
			return err
		}
		if env.Name == "" {
			return flags.said(c, p, "Partner %s is added. Next: sealane partner env %s STAG --sealing required", p.ID, p.ID)
		}
		env.Partner, env.Sealing, env.SenderAuth = p.ID, sealane.Sealing(sealing), sealane.SenderAuth(caller)
		if err := d.AddEnvironment(c.Context(), env, flags.reason); err != nil {
			return fmt.Errorf("partner %s is added, but not its environment: %w\nTo add it: sealane partner env %s %s …", p.ID, err, p.ID, env.Name)
		}
		return flags.said(c, p, "Partner %s is added, with environment %s. What is missing now: sealane preflight %s %s", p.ID, env.Name, p.ID, env.Name)
	})
	return c
}

// ownDialect puts a profile that is a file into the registry, so that nobody changes
// its rules without a record.
func ownDialect(c *cobra.Command, d *registry.Session, p *registry.Partner, reason string) error {
	if info, err := os.Stat(p.Profile); err != nil || !info.Mode().IsRegular() || slices.Contains(profile.Names(), p.Profile) {
		return nil
	}
	source, err := readInput(c, p.Profile, 1<<20)
	if err != nil {
		return err
	}
	name, err := d.AddProfile(c.Context(), source, reason)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Profile, err)
	}
	p.Profile = name
	return nil
}

func partnerList(flags *registryFlags) *cobra.Command {
	var page registry.Page
	c := &cobra.Command{Use: "list", Short: "List partners", Args: cobra.NoArgs}
	c.Flags().IntVar(&page.Limit, "limit", 100, "how many at most")
	c.Flags().StringVar(&page.After, "after", "", "those behind this partner, for the next page")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var list, more []registry.Partner
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			if list, err = tx.Partners(page); err != nil || len(list) == 0 {
				return err
			}
			more, err = tx.Partners(registry.Page{After: list[len(list)-1].ID, Limit: 1})
			return err
		})
		if err != nil {
			return err
		}
		err = flags.show(c, list, "PARTNER,NAME,PROFILE,WE ARE,SINCE", func(add func(...any)) {
			for _, p := range list {
				add(p.ID, p.Name, p.Profile, p.Side, p.Created)
			}
		})
		if err == nil && len(more) > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "sealane: there are more partners: sealane partner list --after %s\n", list[len(list)-1].ID)
		}
		return err
	})
	return c
}

// partnerView is what partner show writes.
type partnerView struct {
	registry.Partner
	Environments []environmentView `json:"environments"`
}

type environmentView struct {
	registry.Environment
	APIKeys []registry.APIKey `json:"api_keys"`
	Steps   []exchange.Step   `json:"certificates"`
}

func partnerShow(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "show PARTNER", Short: "Show a partner with environments, contacts, API keys and certificates", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withView(func(c *cobra.Command, v view, args []string) error {
		var p partnerView
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			if p.Partner, err = tx.Partner(args[0]); err != nil {
				return fmt.Errorf("partner %q: %w", args[0], err)
			}
			environments, err := tx.Environments(args[0])
			p.Environments = nil
			for _, env := range environments {
				one := environmentView{Environment: env}
				if one.APIKeys, err = tx.APIKeys(env.Partner, env.Name); err != nil {
					return err
				}
				p.Environments = append(p.Environments, one)
			}
			return err
		})
		if err != nil {
			return err
		}
		for i := range p.Environments {
			if p.Environments[i].Steps, err = v.Status(c.Context(), p.ID, p.Environments[i].Name); err != nil {
				return err
			}
		}
		if flags.json {
			return flags.show(c, p, "", nil)
		}
		return p.write(flags, c)
	})
	return c
}

func (p partnerView) write(flags *registryFlags, c *cobra.Command) error {
	w := c.OutOrStdout()
	fmt.Fprintf(w, "%s: %s, profile %s; we are the %s\n", p.ID, cellText(p.Name), p.Profile, p.Side)
	for _, env := range p.Environments {
		fmt.Fprintf(w, "\n%s: sealing %s", env.Name, env.Sealing)
		for _, more := range [][2]string{{"account", env.Account}, {"caller", string(env.SenderAuth)}, {"RSA-OAEP (SHA-1) opens, because", env.AcceptRSAOAEP}} {
			if more[1] != "" {
				fmt.Fprintf(w, "; %s %s", more[0], cellText(more[1]))
			}
		}
		fmt.Fprintln(w)
		for _, contact := range env.Contacts {
			fmt.Fprintf(w, "  %-9s %s %s\n", contact.Role, cellText(contact.Email), cellText(contact.Name))
		}
		for _, k := range env.APIKeys {
			state := "valid"
			if !k.Revoked.IsZero() {
				state = "revoked " + cellText(k.Revoked)
			}
			fmt.Fprintf(w, "  API key   %s %s… sealing %s, %s, last used %s %s\n", k.ID, k.Prefix, k.Sealing, state, cellText(k.LastUsed), cellText(k.Label))
		}
		if err := writeSteps(flags, c, env.Steps); err != nil {
			return err
		}
	}
	return nil
}

func partnerContact(flags *registryFlags) *cobra.Command {
	var contact registry.Contact
	var role string
	var remove bool
	c := &cobra.Command{
		Use: "contact PARTNER ENVIRONMENT", Short: "Add a contact at a partner, or remove one", Args: cobra.ExactArgs(2),
		Example: `  sealane partner contact vcas PROD --role primary --email pki@vcas.example --name "PKI team"`,
	}
	f := c.Flags()
	f.StringVar(&role, "role", string(registry.Primary), "primary, alternate or support: the order in which they are written to")
	f.StringVar(&contact.Email, "email", "", "address, best of a mailbox that several people read (required)")
	f.StringVar(&contact.Name, "name", "", "name")
	f.BoolVar(&remove, "remove", false, "remove whoever has that address")
	must(c.MarkFlagRequired("email"))
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if remove {
			if err := d.RemoveContact(c.Context(), args[0], args[1], contact.Email, flags.reason); err != nil {
				return err
			}
			return flags.said(c, contact, "%s is no contact of %s in %s any more", contact.Email, args[0], args[1])
		}
		contact.Role = registry.ContactRole(role)
		if err := d.SetContact(c.Context(), args[0], args[1], contact, flags.reason); err != nil {
			return err
		}
		return flags.said(c, contact, "%s is the %s contact of %s in %s", contact.Email, contact.Role, args[0], args[1])
	})
	return c
}
