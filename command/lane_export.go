package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/lanedir"
)

func laneExport() *cobra.Command {
	var x operation.LaneExport
	var out string
	c := &cobra.Command{
		Use:   "export PARTNER ENVIRONMENT",
		Short: "Write a lane with its keys to a folder; audited",
		Long: `Export writes a lane folder: lane.yaml, your private keys and the partner's certificates,
with their states, as the registry has them now. A gateway reads it with "keys: FOLDER",
and Go programs with package lanedir. The private keys are encrypted with a passphrase
(--passphrase-file or $SEALANE_PASSPHRASE) of at least 14 bytes. The reason goes
into the audit log.`,
		Example: `  sealane lane export provider PROD --out lanes/provider --passphrase-file pass.txt \
      --reason "gateway on host app-7, CHG-4711"`,
		Args: cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&out, "out", "", "folder to write; it must be empty or not exist (required)")
	must(c.MarkFlagRequired("out"))
	passphrase := passphraseFlag(c)
	input := func(_ *cobra.Command, args []string) (_ operation.LaneExport, err error) {
		x.Lane = lanes.Name{Partner: args[0], Environment: args[1]}
		if x.Passphrase, err = passphrase(); err != nil {
			return x, err
		}
		x.Deliver = func(config sealane.Config) error {
			return lanedir.Write(out, lanedir.Lane{Config: config, Passphrase: x.Passphrase})
		}
		return x, nil
	}
	c.RunE = does(flags, operation.ExportLane, input, func(c *cobra.Command, _ operation.None) error {
		return say(c, "%s is written. It has private keys: keep it apart from its passphrase.", out)
	})
	return c
}
