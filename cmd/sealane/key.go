package main

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func newKey() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Key IDs, private keys in other formats, and your key pairs in the registry"}
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

func keyList(flags *registryFlags) *cobra.Command {
	var q registry.KeyPairQuery
	c := &cobra.Command{Use: "list", Short: "List your key pairs in the registry", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "of this partner")
	f.StringVar(&q.Profile, "profile", "", "of this profile")
	f.StringVar(&q.Environment, "env", "", "of this environment")
	f.IntVar(&q.Limit, "limit", 100, "how many at most")
	f.StringVar(&q.After, "after", "", "those behind this one, for the next page")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var pairs []registry.KeyPair
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			pairs, err = tx.KeyPairs(q)
			return err
		})
		if err != nil {
			return err
		}
		return flags.show(c, pairs, "KEY PAIR,PROFILE,PARTNER,ENVIRONMENT,STATE,BITS,KEY ID (ALIAS),CUSTODIAN,SINCE", func(add func(...any)) {
			for _, k := range pairs {
				add(k.ID, k.Profile, orWord(k.Partner, "(all)"), k.Environment, k.State, k.Bits, k.KeyID, k.Custodian, k.Changed)
			}
		})
	})
	return c
}

// keyMove makes a command that changes the state of a key pair.
func keyMove(flags *registryFlags, use, short, long string, to registry.State) *cobra.Command {
	c := &cobra.Command{Use: use + " KEYPAIR", Short: short, Long: long, Args: cobra.ExactArgs(1)}
	last := false
	if to == registry.Retired {
		c.Flags().BoolVar(&last, "last", false, "none is to follow, though it is in use: end the lane")
	}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := d.MovePair(c.Context(), args[0], to, last, flags.reason); err != nil {
			return err
		}
		return flags.said(c, map[string]string{"key_pair": args[0], "state": string(to)}, "Key pair %s is %s", args[0], to)
	})
	return c
}

func keyRetire(flags *registryFlags) *cobra.Command {
	return keyMove(flags, "retire", "Stop opening messages with a key pair",
		`Retire ends the use of a key pair: one that another has followed, one that is not in use
yet, or the last (--last), after which messages to it are opened no more. A pair for all
partners of a profile ends when each of them has confirmed another.`, registry.Retired)
}

func keyDestroy(flags *registryFlags) *cobra.Command {
	return keyMove(flags, "destroy", "Delete the private key of a retired key pair for good", "", registry.Destroyed)
}

func keyCompromised(flags *registryFlags) *cobra.Command {
	return keyMove(flags, "compromised", "Take a key pair out of use at once, and block its key",
		"Compromised ends all use of a key pair in one step, without an overlap, and blocks its\npublic key for good. Tell the partner.", registry.Compromised)
}
