package command

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/demo"
)

func newDemo() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run both exchanges end to end on this machine, and show what happens",
		Long: `Demo makes keys and certificates, exchanges them with their checksums, starts the
stand-ins on loopback, and runs RiskOS (plain and sealed evaluations, document upload,
every error of its table) and RDX (a challenge, then one with a second key). Every line
of the report is computed from the traffic.

With --once it ends there, and the exit code is 0 only if every step did what it
should. Otherwise the stand-ins stay up, and the report ends with commands to try.

With --fast-forward it plays two years in seconds instead: a partner's certificate
ends, and the partner answers late; then ours does. There are two registries, schedules
that people's orders move, a mail server that keeps all mails, and messages at each
step. Each mail is shown with From, To and Subject, and with the text of the first of
its kind; --verbose shows every text. The exit code is as with --once.`,
		Example: `  sealane demo --once
  sealane demo --fast-forward
  sealane demo --fast-forward --verbose --dir played`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&o.Folder, "dir", "",
		"empty folder for all files (default: a temporary one, removed at the end)")
	c.Flags().BoolVar(&o.Once, "once", false, "end after the report")
	c.Flags().BoolVar(&o.FastForward, "fast-forward", false, "play a renewal of each side, with the mails, and end")
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "with --fast-forward, show the text of each mail")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if o.RSA, err = chosenEngine(c); err != nil {
			return err
		}
		o.Output, o.Color, o.Program = c.OutOrStdout(), isTerminal(c.OutOrStdout()), programName()
		return demo.Run(c.Context(), o)
	}
	return c
}

// programName returns how the user calls this program.
func programName() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/sealane"
	}
	return os.Args[0]
}
