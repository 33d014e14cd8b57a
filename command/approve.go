package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

// approveFlags are the flags of approve that say how it works.
type approveFlags struct {
	*registryFlags
	yes bool
}

func newApprove() *cobra.Command {
	var a operation.Approval
	var record string
	c := &cobra.Command{
		Use:   "approve IDENTITY…",
		Short: "Approve matched certificates, or requests (a second person)",
		Long: `Approve prints what is to be approved, and at a terminal it asks. Then it accepts the
matched certificates as they were printed. For production the approver must have
neither received nor matched them, and must name the change (--change). It also takes a
call-back to a number that was known before: who was called (--call-back), the number
(--number), and the first eight or more digits of the SHA-256 as they read them to you
(--read-back), which are compared. Or the partner answers a challenge. One call-back
counts for the certificates of one partner.

Approve also approves the requests of other people (r-…): acts that loosen a rule or
move a private key. It prints what would change, and so does sealane show r-….

After a migration (sealane partner import), --as-recorded asks for the approval of the
certificates that wait, up to 5,000 at a time, as of the old system's record. It makes
one request, which another person approves. It leaves out certificates for a lane that
has or had one of the partner's in use: approve them by themselves.`,
		Example: `  sealane approve c-7k2m4q6z3x --change CHG-4711 \
      --call-back "Eva Lind" --number "+46 8 123 45 67, from the contract" --read-back 3A1F9C04
  sealane approve r-4n7d2w5q3k
  sealane approve --as-recorded "export of the old system of 2026-11-28, in the safe, CHG-4711"`,
	}
	flags := &approveFlags{registryFlags: registryVerb(c)}
	f := c.Flags()
	f.BoolVar(&flags.yes, "yes", false, "do not ask, though a person sits at a terminal")
	f.StringVar(&a.Change, "change", "", "reference of the change")
	f.StringVar(&a.CallBack.Person, "call-back", "", "who was called back")
	f.StringVar(&a.CallBack.Number, "number", "", "the telephone number, and where it is from")
	f.StringArrayVar(&a.CallBack.Digits, "read-back", nil,
		"first digits of the SHA-256 as they were read to you, 8 or more; repeat it for several certificates")
	f.StringArrayVar(&a.Grant, "grant", nil, "rule whose waiver you grant")
	f.StringVar(&record, "as-recorded", "",
		"the record of the old system, for certificates that wait after a migration")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case record != "" && len(args) > 0:
			return usage("--as-recorded is for all certificates that wait, and takes no identity")
		case record != "":
			return flags.session(c, func(s *operation.Session) error {
				return migrate(c, flags.registryFlags, s, record)
			})
		case len(args) == 0:
			return usage("name the certificates or requests to approve")
		}
		requests := slices.ContainsFunc(args, operation.IsRequest)
		if requests && slices.ContainsFunc(args, func(id string) bool { return !operation.IsRequest(id) }) {
			return usage("approve certificates and requests separately")
		}
		return flags.session(c, func(s *operation.Session) error {
			if requests {
				return approveRequests(c, flags, s, args)
			}
			a.Certificates = args
			return approveCertificates(c, flags, s, a)
		})
	}
	return c
}

// approveCertificates shows the certificates, and approves them as they were shown.
func approveCertificates(c *cobra.Command, flags *approveFlags, s *operation.Session, a operation.Approval) error {
	if err := s.May(operation.Approve.Action); err != nil {
		return err
	}
	a.Seen = map[string]int64{}
	for _, id := range a.Certificates {
		shown, err := operation.Show.Do(c.Context(), s, operation.ID{ID: id})
		if err != nil {
			return err
		}
		if a.Seen[id] = shown.Certificate.Version; !flags.json {
			writeFacts(c.OutOrStdout(), shown)
		}
	}
	if err := flags.confirm(c); err != nil {
		return err
	}
	approved, err := operation.Approve.Do(c.Context(), s, a)
	if err != nil {
		return err
	}
	var done []operation.Shown
	for one, failed := range approved {
		if failed != nil {
			err = failed
			break
		}
		if done = append(done, one); !flags.json {
			fmt.Fprintf(c.OutOrStdout(), "%s is approved.\n", noun(one.ID))
			writeApproval(c.OutOrStdout(), one.Certificate)
			fmt.Fprintf(c.OutOrStdout(), "Next: %s\n", nextLines(one.Next, "  "))
		}
	}
	if flags.json && len(done) > 0 {
		err = errors.Join(err, writeJSON(c.OutOrStdout(), done))
	}
	return err
}

// confirm asks whether what was shown is approved, if a person sits at a terminal.
func (f *approveFlags) confirm(c *cobra.Command) error {
	stdin, is := c.InOrStdin().(*os.File)
	if f.yes || f.json || !is || !term.IsTerminal(int(stdin.Fd())) {
		return nil
	}
	fmt.Fprint(c.ErrOrStderr(), "Do you approve this? Type yes: ")
	answer, err := bufio.NewReader(stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(answer), "yes") {
		return refused(errors.New("nothing is approved"))
	}
	return nil
}

// migrate asks for the approval of all certificates that wait.
func migrate(c *cobra.Command, flags *registryFlags, s *operation.Session, record string) error {
	waiting, err := operation.WaitingCertificates.Do(c.Context(), s, operation.None{})
	if err != nil {
		return err
	}
	done, err := operation.Migrate.Do(c.Context(), s, operation.Migration{Certificates: waiting, Record: record})
	if err != nil {
		return err
	}
	if flags.json {
		return writeJSON(c.OutOrStdout(), done)
	}
	return say(c, "Approved, as of that record: %s.", termtext.Counted(len(done.Certificates), "certificate"))
}

// approveRequests shows requests, and approves them as they were shown.
func approveRequests(c *cobra.Command, flags *approveFlags, s *operation.Session, ids []string) error {
	if err := s.May(operation.ApproveRequest.Action); err != nil {
		return err
	}
	seen := make([]int64, len(ids))
	for i, id := range ids {
		r, err := operation.ShowRequest.Do(c.Context(), s, operation.RequestName{Request: id})
		if err != nil {
			return err
		}
		if seen[i] = r.Version; !flags.json {
			writeRequestFacts(c.OutOrStdout(), r)
		}
	}
	if err := flags.confirm(c); err != nil {
		return err
	}
	var done []operation.Request
	var err error
	for i, id := range ids {
		r, failed := operation.ApproveRequest.Do(c.Context(), s, operation.RequestApproval{Request: id, Seen: seen[i]})
		if failed != nil {
			err = failed
			break
		}
		if done = append(done, r); !flags.json {
			fmt.Fprintf(c.OutOrStdout(), "Request %s: %s\n", r.ID, requestState(r))
		}
	}
	if flags.json && len(done) > 0 {
		err = errors.Join(err, writeJSON(c.OutOrStdout(), done))
	}
	return err
}

// writeRequest writes what a request would change, or has changed.
func writeRequest(w io.Writer, r operation.Request) {
	writeRequestFacts(w, r)
	fmt.Fprintf(w, "  %s\n", requestState(r))
}

func writeRequestFacts(w io.Writer, r operation.Request) {
	fmt.Fprintf(w, "Request %s: %s of %s, by %s on %s\n",
		r.ID, r.Action, printable(r.Subject), r.By, timeText(r.Created))
	fmt.Fprintf(w, "  why: %s\n", wrap(printable(r.Why), "  "))
	if r.Reason != "" {
		fmt.Fprintf(w, "  reason: %s\n", wrap(printable(r.Reason), "  "))
	}
	for _, line := range changedMembers(r) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// requestState returns what a request waits for, or how it ended.
func requestState(r operation.Request) string {
	switch r.State {
	case operation.RequestOpen:
		return fmt.Sprintf("It waits for another person until %s: sealane approve %s", timeText(r.Ends), r.ID)
	case operation.RequestGranted:
		return fmt.Sprintf("It is granted by %s: %s may do it once, until %s.", r.Decider, r.By, timeText(r.Ends))
	}
	return fmt.Sprintf("It is %s (%s, %s).", r.State, r.Decider, timeText(r.Decided))
}

// changedMembers returns a line for each member that a request changes, and each item of a list.
func changedMembers(r operation.Request) (lines []string) {
	before, after := map[string]any{}, map[string]any{}
	_ = json.Unmarshal(r.Before, &before) // a text that is no object has no members
	_ = json.Unmarshal(r.After, &after)
	var text string
	if json.Unmarshal(r.Before, &text) == nil && text != "" { // of a profile
		before["profile"] = text
	}
	names := slices.Sorted(maps.Keys(after))
	for name := range before {
		if _, stays := after[name]; !stays {
			names = append(names, name)
		}
	}
	for _, name := range names {
		was, is := before[name], after[name]
		if now, text := is.(string); text && strings.Contains(now, "\n") {
			lines = append(lines, printable(name)+":")
			old, _ := was.(string)
			for _, line := range changedLines(old, now) {
				lines = append(lines, "  "+printable(line))
			}
			continue
		}
		if items, list := is.([]any); list && len(before) == 0 {
			lines = append(lines, fmt.Sprintf("%s: %d", printable(name), len(items)))
			for _, item := range items {
				lines = append(lines, "  "+printable(fmt.Sprint(item)))
			}
			continue
		}
		if items, object := is.(map[string]any); object && len(before) == 0 {
			lines = append(lines, fmt.Sprintf("%s: %d", printable(name), len(items)))
			for _, item := range slices.Sorted(maps.Keys(items)) {
				lines = append(lines, "  "+printable(fmt.Sprintf("%s: %v", item, items[item])))
			}
			continue
		}
		if fmt.Sprint(was) != fmt.Sprint(is) {
			lines = append(lines, fmt.Sprintf("%s: %s → %s", printable(name), member(was), member(is)))
		}
	}
	return lines
}

// member returns the value of a member for people.
func member(value any) string {
	if value == nil {
		return "-"
	}
	return cellText(value)
}
