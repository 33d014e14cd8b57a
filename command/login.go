package command

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretfile"
)

func newLogin() *cobra.Command {
	var renew bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Keep your personal token in a file that only you can read, or renew it",
		Long: `Login asks for your personal token, or reads it from standard input or --token-file,
checks it, and keeps it in a file of your user account (mode 0600), one for each
registry. Later commands use it. $SEALANE_TOKEN and --token-file come before it.
sealane logout deletes the file.

--renew replaces your token by a new one, which nobody else has seen: do that with a
token that an administrator has given to you. It is kept in the same file, or in that of
--token-file. The old one is next to it (.old) until the new one is valid.`,
		Example: `  sealane login
  sealane login --token-file anna.token
  sealane login --renew`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&renew, "renew", false, "replace your token by a new one")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if renew {
			return renewToken(c, flags)
		}
		file := loginFile(flags.database())
		token, err := askToken(c, flags)
		if err != nil {
			return err
		}
		var me operation.Person
		err = flags.as(c, token, func(s *operation.Session) error {
			me, err = operation.WhoAmI.Do(c.Context(), s, operation.None{})
			return err
		})
		if err != nil {
			return err
		}
		if err := keepToken(file, token); err != nil {
			return err
		}
		return say(c, "You are logged in as %s. The token is in %s.", me.ID, file)
	}
	return c
}

// askToken returns the token to keep.
func askToken(c *cobra.Command, flags *registryFlags) (string, error) {
	if c.Flags().Changed("token-file") {
		return readToken(flags.tokenFile)
	}
	data, err := askSecret(c, "Token: ")
	if err != nil {
		return "", err
	}
	return oneToken("standard input", data)
}

// loginFile returns the file with the token for a registry. It stays the same if the password of the
// database changes.
func loginFile(database string) string {
	folder, err := os.UserConfigDir()
	if err != nil {
		folder = ""
	}
	sum := sha256.Sum256([]byte(operation.Place(database)))
	return filepath.Join(folder, "sealane", "tokens", fmt.Sprintf("%x", sum[:8]))
}

// keepToken writes a token into its file. An earlier one is replaced.
func keepToken(file, token string) error {
	if !filepath.IsAbs(file) {
		return errors.New("there is no folder for settings of this user account (set $HOME or $XDG_CONFIG_HOME)")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return secretfile.Replace(file, []byte(token+"\n"))
}

// readToken reads a token from a file that nobody else may read.
func readToken(file string) (string, error) {
	data, err := secretfile.Read(file, maxSecret)
	defer clear(data)
	if errors.Is(err, secretfile.ErrExposed) {
		err = fmt.Errorf("%w, and if anybody may have read it, have your token replaced (sealane person token)", err)
	}
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", readlimit.Shown(file), err)
	}
	return oneToken("token file "+file, data)
}

// oneToken returns the token in a text.
func oneToken(name string, data []byte) (string, error) {
	token := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if token == "" {
		return "", fmt.Errorf("%s: it is empty; it must hold your personal token", name)
	}
	return token, nil
}
