package command

import (
	"crypto/fips140"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// versionFacts are what an auditor asks about a program.
type versionFacts struct {
	build
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Linking  string `json:"linking,omitempty"`
	RSA      string `json:"rsa"`
	FIPS     string `json:"fips140"`
}

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version, and what performs cryptographic operations",
		Args:  cobra.NoArgs,
	}
	asJSON := c.Flags().Bool("json", false, "write JSON")
	// An auditor needs the answer most where the RSA engine cannot be used.
	c.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
	c.RunE = func(c *cobra.Command, _ []string) error {
		v := versionFacts{build: thisBuild(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		v.Linking = strings.TrimPrefix(linking(), ", ")
		if engine, err := chosenEngine(c); err != nil {
			v.RSA = "no engine (" + err.Error() + ")"
		} else {
			v.RSA = engine.String()
		}
		switch {
		case fips140.Enforced():
			v.FIPS = "enforced, module " + fips140.Version()
		case fips140.Enabled():
			v.FIPS = "on, module " + fips140.Version()
		default:
			v.FIPS = "off"
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), v)
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "sealane %s\n%s on %s%s\nRSA by %s, FIPS 140-3 %s\n",
			v.build, v.Go, v.Platform, linking(), v.RSA, v.FIPS)
		return err
	}
	return c
}
