package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

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
