package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/operation"
)

func partnerShow() *cobra.Command {
	c := &cobra.Command{
		Use:   "show PARTNER",
		Short: "Show a partner with environments, contacts, API keys and certificates",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = does(registryVerb(c), operation.ShowPartner, partnerNamed, writePartner)
	return c
}

// sideText returns a side in both of its words.
func sideText(side sealane.Side) string {
	if side == sealane.ClientSide {
		return "egress (client)"
	}
	return "ingress (server)"
}

func writePartner(c *cobra.Command, p operation.PartnerDetails) error {
	w := c.OutOrStdout()
	warnDamaged(c, p.Damaged)
	fmt.Fprintf(w, "%s: %s, profile %s; our side: %s\n", p.ID, cellText(p.Name), p.Profile, sideText(p.Side))
	if !p.Archived.IsZero() {
		fmt.Fprintf(w, "archived on %s; to bring it back: sealane partner restore %s\n", dateText(p.Archived), p.ID)
	}
	for _, env := range p.Environments {
		fmt.Fprintf(w, "\n%s: sealing %s", env.Name, env.Sealing)
		for _, more := range [][2]string{
			{"account", env.Account}, {"caller", string(env.SenderAuth)},
			{"RSA-OAEP (SHA-1) opens, because", env.AcceptRSAOAEP}, {"expired", string(env.Expired)},
			{"not sent again, because", env.NoResend}, {"URL", env.URL},
			{"limits:", env.Limits.String()}, {"rotation:", env.Rotation.String()},
		} {
			if more[1] != "" {
				fmt.Fprintf(w, "; %s %s", more[0], cellText(more[1]))
			}
		}
		fmt.Fprintln(w)
		for _, freeze := range env.Rotation.Window.Freezes {
			fmt.Fprintf(w, "  freeze    %s\n", cellText(freeze.String()))
		}
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
		if err := writeStandings(c, env.Certificates); err != nil {
			return err
		}
	}
	return nil
}
