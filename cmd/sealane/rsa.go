package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// rsaFlag adds --rsa to all commands; $SEALANE_RSA is its default.
func rsaFlag(root *cobra.Command) {
	choice := os.Getenv("SEALANE_RSA")
	if choice == "" {
		choice = kms.Auto
	}
	root.PersistentFlags().String("rsa", choice, "what does a lane's RSA: auto (OpenSSL where it is, else Go), go or openssl; default $SEALANE_RSA")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		_, err := chosenRSA(c) // refused before any work, whatever the command
		return err
	}
}

// chosenRSA gives what --rsa chose.
func chosenRSA(c *cobra.Command) (kms.RSA, error) {
	choice, err := c.Flags().GetString("rsa")
	if err != nil {
		return kms.RSA{}, err
	}
	r, err := kms.ChooseRSA(choice)
	switch {
	case err == nil:
		return r, nil
	case slices.Contains([]string{kms.Auto, kms.Go, kms.OpenSSL}, choice):
		return r, &exit{exitFailed, err}
	}
	return r, &exit{exitUsage, err}
}

// logRSA is the one line by which the operator of a server sees what does RSA.
func logRSA(c *cobra.Command) error {
	r, err := chosenRSA(c)
	if err == nil {
		fmt.Fprintln(c.ErrOrStderr(), "RSA by", r)
	}
	return err
}

// withOperations puts r under the keys of a ring that the partner has.
func withOperations(r kms.RSA, keys []keyring.Key) error {
	for i := range keys {
		operations, err := r.Public(keys[i].Public)
		if err != nil {
			return fmt.Errorf("key ID %q: %w", keys[i].ID, err)
		}
		keys[i].PublicOps = operations
	}
	return nil
}
