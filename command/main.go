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
	switch {
	case err.Error() == "": // the command has written it
	case wantsJSON(called, args, e != nil):
		writeError(stderr, err, code)
	default:
		fmt.Fprintln(stderr, "sealane:", printableLines(withoutKeys(strings.TrimPrefix(advised(err), "sealane: "))))
		if code == exitUsage {
			fmt.Fprintf(stderr, "See: %s --help\n", called.CommandPath())
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

A lane is what you and one partner agreed on in one environment: a profile (the
protocol that the partner uses), your keys, and theirs. To begin:

  sealane demo                  both exchanges, end to end, on this machine
  sealane init NAME             make a registry of partners, keys and certificates
  sealane inspect TOKEN         find out why a message does not open

Exit codes: 0 done; 1 failed; 2 wrong command line; 3 refused (a message, certificate,
key ID or act); 4 the partner answered with an error; 5 the request may have been
processed, but its answer cannot be used; 6 the act waits for a second person; 7 something
needs a person (schedule pass, todo). With --json an error is a line of JSON on standard error.`,
		Version:       thisBuild().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 { // an unknown command has no flags
			return unknownCommand(c, words[0])
		}
		return err
	})
	root.SetVersionTemplate("sealane {{.Version}}\n")
	rsaFlag(root)
	addHelp(root)
	inGroup(root, "daily", "Certificates and keys, day by day",
		newTodo(), newStatus(), newPreflight(), newShow(), newReceive(), newChecksum(), newApprove(), newReject(),
		newOffer(), newAlias(), newInstalled(), newStage(), newActivate(), newRenewals(), newAsk(), newTold(),
		newMail(), newSent(), newNotice(), newRollback(), newHold(), newRetire(), newRevoke(), newDismiss(),
		newExport(), newUndo(), newChallenge(), newAnswer(), newProve())
	inGroup(root, "messages", "Messages", newSeal(), newOpen(), newInspect(), newCall())
	inGroup(root, "administration", "Administration",
		newInit(), newLogin(), newLogout(), newFind(), newPartner(), newPerson(), newKey(), newLane(), newCert(),
		newProfile(), newNode(),
		newAudit(), newInventory(), newBackup(), newRootKey())
	inGroup(root, "run", "Run and try", newServe(), newSchedule(), newDemo(), newSandbox(), newVersion())
	for _, c := range append(root.Commands(), root) {
		prepare(c)
	}
	return root
}

// inGroup adds commands under a heading of the list of all.
func inGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title + ":"})
	for _, c := range commands {
		c.GroupID = id
		root.AddCommand(c)
	}
}

// prepare sets the exit code of errors of a command's own work, and adds the usage to those
// about its arguments. An unknown subcommand is an error that names the nearest ones.
func prepare(c *cobra.Command) {
	if c.HasParent() {
		for _, sub := range c.Commands() {
			prepare(sub)
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.SuggestionsMinimumDistance = 2
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return nil
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	work, takes := c.RunE, c.Args
	if work == nil {
		return
	}
	if takes != nil && !c.HasSubCommands() {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := takes(c, args); err != nil {
				return fmt.Errorf("wrong number of arguments: it is %s", strings.TrimSuffix(c.UseLine(), " [flags]"))
			}
			return nil
		}
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		err := work(c, args)
		var e *exit
		if err == nil || errors.As(err, &e) {
			return err
		}
		return &exit{codeOf(err), err}
	}
}

// unknownCommand returns the error for a word that is not a command, with the most similar
// commands.
func unknownCommand(c *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q for %q", word, c.CommandPath())
	if near := c.SuggestionsFor(word); len(near) > 0 {
		for i := range near {
			near[i] = c.CommandPath() + " " + near[i]
		}
		text += "; did you mean " + strings.Join(near, ", or ") + "?"
	}
	return errors.New(text)
}
