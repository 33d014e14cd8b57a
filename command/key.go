package command

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
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

func keyList(flags *registryFlags) *cobra.Command {
	var q registry.KeyPairQuery
	c := &cobra.Command{Use: "list", Short: "List your key pairs in the registry", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "only those for this partner")
	f.StringVar(&q.Profile, "profile", "", "only those of this profile")
	f.StringVar(&q.Environment, "env", "", "only those of this environment")
	f.IntVar(&q.Limit, "limit", 100, "maximum number")
	f.StringVar(&q.After, "after", "", "begin after this one, for the next page")
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var pairs []registry.KeyPair
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			pairs, err = tx.KeyPairs(q)
			return err
		})
		if err != nil {
			return err
		}
		const head = "KEY PAIR,PROFILE,PARTNER,ENVIRONMENT,STATE,BITS,KEY ID (ALIAS),CUSTODIAN,SINCE"
		return flags.show(c, pairs, head, func(add func(...any)) {
			for _, k := range pairs {
				add(k.ID, k.Profile, cmp.Or(k.Partner, "(all)"), k.Environment,
					k.State, k.Bits, k.KeyID, k.Custodian, k.Changed)
			}
		})
	})
	return c
}

func keyRetire(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "retire KEYPAIR",
		Short: "Stop opening messages with a key pair",
		Long: `Retire ends the use of a key pair that another has replaced, that is not in use yet, or
that is the last (--last). After the last, messages to it can no longer be opened. A
pair for all partners of a profile can be retired when each of them has confirmed
another.`,
		Args: cobra.ExactArgs(1),
	}
	last := c.Flags().Bool("last", false, "no other is to follow, although it is in use: end the lane")
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return flags.moveKey(c, s, args[0], registry.Retired, *last)
	})
	return c
}

func keyDestroy(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "destroy KEYPAIR",
		Short: "Delete the private key of a retired key pair for good",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return flags.moveKey(c, s, args[0], registry.Destroyed, false)
	})
	return c
}

func keyCompromised(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "compromised KEYPAIR",
		Short: "End the use of a key pair at once, and block its key",
		Long: `Compromised ends all use of a key pair at once, without an overlap, and blocks its
public key for good. Tell the partner.`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		return flags.moveKey(c, s, args[0], registry.Compromised, false)
	})
	return c
}

// moveKey changes the state of a key pair.
func (f *registryFlags) moveKey(
	c *cobra.Command, s *registry.Session, id string, to registry.State, last bool,
) error {
	if err := s.MovePair(c.Context(), id, to, last); err != nil {
		return err
	}
	return f.say(c, map[string]string{"key_pair": id, "state": string(to)}, "Key pair %s is %s", id, to)
}
