package command

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

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
	var names, effects []string
	for _, f := range list(p) {
		names, effects = append(names, string(f)), append(effects, f.Effect(p))
	}
	return explained(names, effects)
}

// explained returns a list of names with what each means, for help.
func explained(names, meanings []string) string {
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, name, wrap(meanings[i], strings.Repeat(" ", width+4)))
	}
	return b.String()
}

// logTo returns the log of a stand-in.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
