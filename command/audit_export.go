package command

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

func auditExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the whole record as JSON lines",
		Long: `Export writes each record as a line. A file has exactly the bytes that sealane audit
verify --file checks; on a terminal, characters that it would obey are escaped.`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return flags.session(c, func(s *operation.Session) error {
			out := c.OutOrStdout()
			if isTerminal(out) {
				out = escapedWriter{out}
			}
			_, err := operation.ExportAudit.Do(c.Context(), s, out)
			return err
		})
	}
	return c
}

// escapedWriter writes JSON to a terminal.
type escapedWriter struct{ to io.Writer }

// Write escapes whole characters: p ends where a line does, or the buffer of the export, which
// may cut one. Its halves are escaped then, too.
func (w escapedWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, termtext.EscapeJSON(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
