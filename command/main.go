// Package command is the command line of Sealane, for programs that add to it.
//
// Command sealane calls [Main] and does nothing else. A program of your own does the same, and
// imports the packages that add key stores. With one that registers the scheme vault (see
// [github.com/sealane/sealane/kms.Register]), this is a sealane whose --key takes vault:NAME too:
//
//	package main
//
//	import (
//		"github.com/sealane/sealane/command"
//
//		_ "example.com/vaultstore"
//	)
//
//	func main() { command.Main() }
//
// The first line of its version command names both Sealane's version and the program's.
//
// Commands, flags, exit codes and what --json prints are for users and their scripts; "sealane
// help" documents them. Go programs use packages sealane and sealhttp.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones on systems that have none

	"github.com/spf13/cobra"
)

// Main runs the command line on the process's arguments and standard streams, and ends the process
// with an exit code. An interrupt or SIGTERM ends the command in good order; a second one ends the
// process at once.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var e *exit
	code := exitUsage // cobra's own errors are about the command line
	if errors.As(err, &e) {
		code = e.code
	}
	text := err.Error()
	switch {
	case text == "": // the command has written it
	case wantsJSON(called, args, e != nil):
		writeError(stderr, err, code)
	default:
		fmt.Fprintln(stderr, "sealane:", printableLines(strings.TrimPrefix(text, "sealane: ")))
		if code == exitUsage {
			fmt.Fprintln(stderr, "See: sealane help")
		}
	}
	return code
}

// wantsJSON reports whether --json was given. If the command line could not be parsed,
// the flag may not be set yet: then wantsJSON looks for it in the arguments.
func wantsJSON(called *cobra.Command, args []string, parsed bool) bool {
	if flag := called.Flags().Lookup("json"); flag != nil && (parsed || flag.Changed) {
		return flag.Value.String() == "true"
	}
	if parsed {
		return false
	}
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if value, named := strings.CutPrefix(arg, "--json"); named && (value == "" || value == "=true") {
			return true
		}
	}
	return false
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sealane",
		Short: "Seal and open messages between companies' APIs: JSON that is signed, then encrypted",
		Long: `Sealane seals and opens messages between companies' APIs: JSON that is signed by one
partner and encrypted to the other (JWS inside JWE).

A lane is what you and one partner agreed on: a profile (the protocol that the partner
uses), your keys, and theirs. To begin:

  sealane demo                  both exchanges, end to end, on this machine
  sealane cert create --help    make your key pair and certificate
  sealane inspect TOKEN         find out why a message does not open

Exit codes: 0 done; 1 failed; 2 wrong command line; 3 refused (message, certificate,
key ID); 4 the partner answered with an error; 5 the request may have been processed,
but its answer cannot be used. With --json an error is a line of JSON on standard
error.`,
		Version:       thisBuild().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 { // an unknown command has no flags
			return fmt.Errorf("unknown command %q for %q", words[0], c.CommandPath())
		}
		return err
	})
	root.SetVersionTemplate("sealane {{.Version}}\n")
	rsaFlag(root)
	root.AddCommand(
		newDemo(), newSeal(), newOpen(), newCall(), newInspect(),
		newCert(), newKey(), newProfile(), newSandbox(), newVersion(),
		newPartner(), newPerson(), newExchange(), newPreflight(),
		newAudit(), newInventory(), newBackup(), newRootKey())
	for _, c := range root.Commands() {
		failWhereNotUsage(c)
	}
	return root
}

// failWhereNotUsage makes errors of a command's own work have the exit code 1, if they
// have no other. Errors that cobra finds before that are about usage.
func failWhereNotUsage(c *cobra.Command) {
	for _, sub := range c.Commands() {
		failWhereNotUsage(sub)
	}
	if c.HasSubCommands() && c.RunE == nil { // so that an unknown subcommand is an error
		c.Args = cobra.NoArgs
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	work := c.RunE
	if work == nil {
		return
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		err := work(c, args)
		var e *exit
		if err == nil || errors.As(err, &e) {
			return err
		}
		return &exit{exitFailed, err}
	}
}
