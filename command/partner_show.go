package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

func partnerShow(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "show PARTNER",
		Short: "Show a partner with environments, contacts, API keys and certificates",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = flags.withView(func(c *cobra.Command, v view, args []string) error {
		p, err := readPartner(c, v, args[0])
		if err != nil {
			return err
		}
		if flags.json {
			return writeJSON(c.OutOrStdout(), p)
		}
		return p.write(flags, c)
	})
	return c
}

// partnerDetails are what partner show writes.
type partnerDetails struct {
	registry.Partner
	Environments []environmentDetails `json:"environments"`
}

type environmentDetails struct {
	registry.Environment
	APIKeys []registry.APIKey `json:"api_keys"`
	Steps   []exchange.Step   `json:"certificates"`
}

func readPartner(c *cobra.Command, v view, id string) (p partnerDetails, err error) {
	err = v.View(c.Context(), func(tx registry.Tx) (err error) {
		if p.Partner, err = tx.Partner(id); err != nil {
			return fmt.Errorf("partner %q: %w", id, err)
		}
		environments, err := tx.Environments(id)
		p.Environments = nil
		for _, env := range environments {
			details := environmentDetails{Environment: env}
			if details.APIKeys, err = tx.APIKeys(env.Partner, env.Name); err != nil {
				return err
			}
			p.Environments = append(p.Environments, details)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	for i := range p.Environments {
		env := &p.Environments[i]
		if env.Steps, err = v.Status(c.Context(), p.ID, env.Name); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p partnerDetails) write(flags *registryFlags, c *cobra.Command) error {
	w := c.OutOrStdout()
	fmt.Fprintf(w, "%s: %s, profile %s; we are the %s\n", p.ID, cellText(p.Name), p.Profile, p.Side)
	for _, env := range p.Environments {
		fmt.Fprintf(w, "\n%s: sealing %s", env.Name, env.Sealing)
		for _, more := range [][2]string{
			{"account", env.Account}, {"caller", string(env.SenderAuth)},
			{"RSA-OAEP (SHA-1) opens, because", env.AcceptRSAOAEP},
		} {
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
			fmt.Fprintf(w, "  API key   %s %s… sealing %s, %s, last used %s %s\n",
				k.ID, k.Prefix, k.Sealing, state, cellText(k.LastUsed), cellText(k.Label))
		}
		if err := writeSteps(flags, c, env.Steps); err != nil {
			return err
		}
	}
	return nil
}
