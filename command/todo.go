package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/termtext"
)

// defaultTodoDays is the lead of a successor, unless an environment says otherwise.
const defaultTodoDays = 75

func newTodo() *cobra.Command {
	var q operation.TodoQuery
	c := &cobra.Command{
		Use:   "todo",
		Short: "List what needs somebody today, over all partners",
		Long: `Todo lists what waits for you, for a second person or for a partner, and since when; what
ends; lanes without an active key, or without a contact; rules that do not count; doubts
about keys; and whether a schedule and the audit log's anchors work. The most urgent
comes first, each with the command that comes next.

The exit code is 7 if something is urgent: it has ended, it ends within 30 days or is
overdue, or needs somebody at once. So a timer can run it.`,
		Example: `  sealane todo
  sealane todo --partner acme --days 120
  sealane todo --json`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&q.Partner, "partner", "", "only what is about this partner")
	f.IntVar(&q.Days, "days", defaultTodoDays, "list keys that end within so many days")
	f.IntVar(&q.Limit, "limit", 20, "maximum number of each kind; the rest is counted")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return flags.session(c, func(s *operation.Session) error {
			list, err := operation.Todo.Do(c.Context(), s, q)
			switch {
			case err != nil:
				return err
			case flags.json:
				err = writeJSON(c.OutOrStdout(), list)
			default:
				err = writeTodo(c, list)
			}
			if err == nil && list.Urgent > 0 {
				err = &exit{code: exitAlarm}
			}
			return err
		})
	}
	return c
}

// todoGroups are the headings, in their order, and what is below each.
var todoGroups = []struct {
	title string
	has   func(operation.TodoItem) bool
}{
	{"URGENT", func(i operation.TodoItem) bool { return i.Urgent }},
	{"WAITS FOR US", func(i operation.TodoItem) bool { return i.Next.Waits == operation.WaitsForUs }},
	{"WAITS FOR A SECOND PERSON", func(i operation.TodoItem) bool { return i.Next.Waits == operation.WaitsForSecond }},
	{"WAITS FOR PARTNERS", func(i operation.TodoItem) bool { return i.Next.Waits == i.Partner && i.Partner != "" }},
	{"ENDS, OR GOES ON BY ITSELF", func(i operation.TodoItem) bool {
		return i.Kind == operation.TodoEnds || i.Next.Waits != operation.WaitsForNobody
	}},
	{"TO KNOW", func(operation.TodoItem) bool { return true }},
}

func writeTodo(c *cobra.Command, list operation.TodoList) error {
	if len(list.Items) == 0 {
		return say(c, "Nothing waits for anybody, and nothing ends within %s.", termtext.Counted(list.Days, "day"))
	}
	groups := make([][]operation.TodoItem, len(todoGroups))
	for _, item := range list.Items {
		for n, group := range todoGroups {
			if group.has(item) {
				groups[n] = append(groups[n], item)
				break
			}
		}
	}
	first := true
	for n, group := range groups {
		if len(group) == 0 {
			continue
		}
		if !first {
			if err := say(c, ""); err != nil {
				return err
			}
		}
		first = false
		if err := say(c, "%s (%d)", todoGroups[n].title, len(group)); err != nil {
			return err
		}
		for _, item := range group {
			if err := writeTodoItem(c, item); err != nil {
				return err
			}
		}
	}
	return writeTodoRest(c, list)
}

// writeTodoItem writes what an item is about, what is so since when, and what comes next.
func writeTodoItem(c *cobra.Command, i operation.TodoItem) error {
	var about []string
	for _, part := range []string{i.Partner, i.Environment, i.ID} {
		if part != "" {
			about = append(about, printable(part))
		}
	}
	if i.Partner == "" && i.Owner == operation.Ours {
		about = append([]string{"all partners"}, about...)
	}
	text := i.Text
	if i.Renewal != "" {
		text += fmt.Sprintf("; renewal %s: %s", i.Renewal, i.Step)
	}
	if !i.Since.IsZero() {
		text += ", since " + dateText(i.Since)
	}
	line := strings.Join(append([]string{todoNames[i.Kind]}, about...), " ") + ": " + printable(text)
	if err := say(c, "%s", wrap(line, "  ")); err != nil {
		return err
	}
	next := nextLines(i.Next, "      ")
	if i.Kind == operation.TodoSchedule {
		next += "\n      sealane schedule run"
	}
	return say(c, "    %s: %s", cmp.Or(printable(i.Next.Waits), operation.WaitsForNobody), next)
}

// todoNames are the first words of a line.
var todoNames = map[operation.TodoKind]string{
	operation.TodoUsedLate: "USED AFTER ITS END",
	operation.TodoRootKey:  "root key",
	operation.TodoSchedule: "schedule", operation.TodoAnchor: "anchor", operation.TodoDamaged: "damaged row",
	operation.TodoAlarm: "ALARM", operation.TodoEnds: "key", operation.TodoUnwatched: "NOT WATCHED",
	operation.TodoRenewal: "renewal", operation.TodoRequest: "request", operation.TodoIncoming: "certificate",
	operation.TodoNoOurs: "lane", operation.TodoNoTheirs: "lane", operation.TodoOffer: "offer",
	operation.TodoMismatch: "mismatch", operation.TodoNoContact: "contact", operation.TodoWaiver: "waiver",
	operation.TodoOptional: "optional sealing", operation.TodoNoCaller: "sender", operation.TodoSHA1: "SHA-1",
}

// restOf says what there is more of, and how to see it.
var restOf = map[operation.TodoKind]string{
	operation.TodoEnds:     "sealane inventory --ends-within DAYS",
	operation.TodoIncoming: "sealane inventory --theirs --state received --state matched --state approved",
	operation.TodoRequest:  "sealane status",
	operation.TodoRenewal:  "sealane renewals --open --step ",
}

func writeTodoRest(c *cobra.Command, list operation.TodoList) error {
	if len(list.Rest) == 0 {
		return nil
	}
	if err := say(c, "\nMORE, which this list lacks (--limit, --partner):"); err != nil {
		return err
	}
	for _, r := range list.Rest {
		what := string(r.Kind)
		if r.Step != "" {
			what += " (" + string(r.Step) + ")"
		}
		how := restOf[r.Kind]
		if how != "" {
			how = ": " + how + string(r.Step)
		}
		if err := say(c, "  %s of kind %s%s", termtext.Count(r.Count), what, how); err != nil {
			return err
		}
	}
	return nil
}
