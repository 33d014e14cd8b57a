package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// rsaFlag adds --rsa to all commands; $SEALANE_RSA is its default.
func rsaFlag(root *cobra.Command) {
	choice := cmp.Or(os.Getenv("SEALANE_RSA"), rsaengine.Auto)
	root.PersistentFlags().String("rsa", choice,
		"what performs RSA operations: auto (OpenSSL if there is one, else Go), go, openssl, multibuffer "+
			"(Intel's crypto_mb for many at once, with OpenSSL) or multibuffer:FILE (default $SEALANE_RSA)")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		_, err := chosenEngine(c) // an error before any work, in every command
		return err
	}
}

// chosenEngine returns the RSA engine that --rsa names.
func chosenEngine(c *cobra.Command) (*rsaengine.Engine, error) {
	choice, err := c.Flags().GetString("rsa")
	if err != nil {
		return nil, err
	}
	engine, err := rsaengine.Select(choice)
	switch {
	case err == nil:
		return engine, nil
	case errors.Is(err, rsaengine.ErrUnknown):
		return nil, &exit{exitUsage, err}
	}
	return nil, &exit{exitFailed, err}
}

// logRSA writes the first line of a server's log, which tells the operator what performs RSA.
func logRSA(w io.Writer, engine *rsaengine.Engine) {
	fmt.Fprintf(w, "RSA by %s%s\n", engine, linking())
}

// linking returns ", static build" or ", dynamic build" on Linux, and "" on other systems. A static
// build has no engine but Go.
func linking() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case !ok || runtime.GOOS != "linux":
		return ""
	case !rsaengine.OpenSSLBuilt && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"}):
		return ", static build"
	}
	return ", dynamic build"
}

// withPublicOps sets the public operations of a partner's keys to those of engine.
func withPublicOps(engine *rsaengine.Engine, keys []keyring.Key) error {
	for i := range keys {
		ops, err := engine.PublicOps(keys[i].Public)
		if err != nil {
			return fmt.Errorf("key ID %q: %w", keys[i].ID, err)
		}
		keys[i].PublicOps = ops
	}
	return nil
}
