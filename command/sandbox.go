package command

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/profile"
)

func newSandbox() *cobra.Command {
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Stand-ins of the services at the other end, for tests",
	}
	c.AddCommand(newSandboxRiskOS(), newSandboxVCAS(), newSandboxIssuer())
	return c
}

// faultTable describes the faults that list returns for a profile.
func faultTable(name string, list func(*profile.Profile) []sandbox.Fault) string {
	p, err := profile.Load(name)
	must(err)
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range list(p) {
		fmt.Fprintf(t, "  %s\t%s\n", f, f.Effect(p))
	}
	t.Flush()
	return b.String()
}

// logTo returns the log of a stand-in.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
