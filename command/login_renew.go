package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/secretfile"
)

// renewToken replaces the token of the person who is logged in, and keeps the new one.
func renewToken(c *cobra.Command, flags *registryFlags) error {
	r := renewal{file: loginFile(flags.database())}
	shown, fromFile := r.file, c.Flags().Changed("token-file")
	if fromFile {
		shown, r.file = flags.tokenFile, absolute(flags.tokenFile)
	}
	token, err := flags.token(c)
	if errors.Is(err, errNobody) {
		token, err = askToken(c, flags)
	}
	if err != nil {
		return err
	}
	err = flags.as(c, token, func(s *operation.Session) error {
		me, err := operation.RenewOwnToken.Do(c.Context(), s, operation.TokenRenewal{Keep: r.keep})
		if err != nil {
			return r.failed(err)
		}
		if err := r.done(); err != nil {
			warn(c, "the old token, which is no longer valid, is still in a file: %s", err)
		}
		if !fromFile && os.Getenv("SEALANE_TOKEN") != "" {
			warn(c, "$SEALANE_TOKEN has the old token, which is no longer valid")
		}
		return say(c, "The token of %s is replaced. The new one is in %s; the old one is no longer valid.",
			me.Person, shown)
	})
	return flags.withOldToken(c, err)
}

// renewal is the change of a file with a token. The new token is in the file before it is valid, and
// the old one next to it until it is known that it is valid no more.
type renewal struct {
	file          string
	there, change bool // the file was there; it may be changed
}

// oldToken is the suffix of the file with the old token.
const oldToken = ".old"

func (r *renewal) keep(token string) error {
	before, err := secretfile.Read(r.file, maxSecret)
	defer clear(before)
	switch r.there = err == nil; {
	case r.there:
		err = secretfile.Replace(r.file+oldToken, before)
	case errors.Is(err, os.ErrNotExist):
		err = nil
	default:
		err = fmt.Errorf("token file %s: %w", r.file, err)
	}
	if err != nil {
		return err
	}
	r.change = true
	return keepToken(r.file, token)
}

// failed puts the file in order after the error of a renewal, and returns the error.
func (r *renewal) failed(err error) error {
	if errors.Is(err, operation.ErrUncertain) {
		before := "the one that you have used now"
		if r.there {
			before = "in " + r.file + oldToken
		}
		return fmt.Errorf("%w: the new token is in %s, and the old one is %s; try both "+
			"(sealane login --token-file FILE), and keep the one that is accepted", err, r.file, before)
	}
	var undo error
	switch {
	case !r.change:
		undo = r.done()
	case r.there:
		undo = os.Rename(r.file+oldToken, r.file)
	default:
		undo = os.Remove(r.file)
	}
	if errors.Is(undo, os.ErrNotExist) {
		undo = nil
	}
	if undo == nil && r.change {
		undo = newfile.SyncFolder(filepath.Dir(r.file))
	}
	if undo != nil {
		undo = fmt.Errorf("the token is not replaced, but its file could not be put back: %w", undo)
	}
	return errors.Join(err, undo)
}

// done removes the old token.
func (r *renewal) done() error {
	if !r.there {
		return nil
	}
	return os.Remove(r.file + oldToken)
}

// withOldToken adds to the error for an unknown token where the one before is, if a renewal has not
// come to its end.
func (f *registryFlags) withOldToken(c *cobra.Command, err error) error {
	file := loginFile(f.database())
	switch {
	case !errors.Is(err, operation.ErrUnknownToken):
		return err
	case c.Flags().Changed("token-file"):
		file = f.tokenFile
	case os.Getenv("SEALANE_TOKEN") != "":
		return err
	}
	if _, none := os.Stat(file + oldToken); none != nil {
		return err
	}
	return fmt.Errorf("%w; a renewal was interrupted, and the token before is in %s%s: try that one "+
		"(sealane login --token-file FILE)", err, file, oldToken)
}
