package todo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/todo"
)

// lines returns the items in short: the kind, what it is about, and who acts; "!" is urgent.
func lines(list todo.List) (all []string) {
	for _, i := range list.Items {
		urgent := ""
		if i.Urgent {
			urgent = "!"
		}
		all = append(all, fmt.Sprintf("%s%s %s %s → %s", urgent, i.Kind, i.Partner, i.ID, i.Next.Waits))
	}
	slices.Sort(all)
	return all
}

func (h *company) wants(q todo.Query, want ...string) todo.List {
	h.t.Helper()
	list := h.look(q)
	got := slices.DeleteFunc(lines(list), func(l string) bool { return strings.HasPrefix(l, "anchor") })
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return list
}

var in75 = todo.Query{Days: 75}

// A lane that works has nothing in the list, until its keys end.
func TestEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		h.working("acme", 74)
		h.working("later", 76)
		list := h.wants(in75, "ends acme c-acme → acme", "ends acme k-acme → us")
		for _, i := range list.Items {
			if i.Kind == todo.Ends && (i.DaysLeft != 74 || i.Next.Advice.Action == "") {
				t.Errorf("%+v", i)
			}
		}
		h.wants(todo.Query{Days: 73})
		h.wants(todo.Query{Days: 80, Partner: "later"}, "ends later c-later → the schedule",
			"ends later k-later → the schedule")
		h.now = noon.Add(25 * time.Hour) // the successor is due since two days: nobody has begun a renewal
		h.wants(in75, "!unwatched acme c-acme → acme", "!unwatched acme k-acme → us", "ends later c-later → later",
			"ends later k-later → us")
		h.now = noon.Add(27 * time.Hour)
		list = h.wants(todo.Query{Days: 75, Partner: "later"}, "ends later c-later → later", "ends later k-later → us")
		if list.Urgent != 0 {
			t.Error(list.Urgent)
		}
		if got := h.look(in75).Items[0]; got.Kind != todo.Schedule || !got.Urgent {
			t.Errorf("no schedule has run for 27 hours: %+v", got)
		}
		n := registry.Renewal{ID: "n-1", Leg: registry.Leg{Owner: registry.Theirs, Partner: "acme", Profile: "riskos",
			Environment: "PROD"}, Replaces: "c-acme", Step: registry.RenewalAsked, Created: noon, Due: noon,
			RespondBy: noon.AddDate(0, 0, 44), AskedAt: noon}
		h.put(&n)
		h.now = noon.Add(25 * time.Hour)
		list = h.wants(todo.Query{Days: 75, Partner: "acme"}, "ends acme c-acme → acme", "!unwatched acme k-acme → us")
		for _, i := range list.Items {
			if i.Kind == todo.Ends && (i.Renewal != "n-1" || i.Step != registry.RenewalAsked) {
				t.Errorf("without its renewal: %+v", i)
			}
		}
		h.wants(todo.Query{Days: 10, Partner: "acme"}, "renewal acme n-1 → acme")
		h.now = noon.AddDate(0, 0, 44)
		h.put()
		h.wants(todo.Query{Days: 10, Partner: "acme"}, "!renewal acme n-1 → acme") // the answer is overdue
		h.now = noon.AddDate(0, 0, 75)
		list = h.wants(todo.Query{Days: 1, Partner: "acme"}, "!ends acme c-acme → acme", "!unwatched acme k-acme → us")
		if list.Urgent != 2 || list.Items[0].DaysLeft != -1 {
			t.Errorf("it has ended: %+v", list)
		}
	})
}

// Each kind is in the list once, with who has to act.
func TestKinds(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		alarm := &registry.Alarm{At: noon, From: "odd", By: "ada", What: "its private key came", Certain: true}
		p, e := lane("odd")
		e.Contacts, e.Sealing, e.SenderAuth = nil, sealane.SealingOptional, sealane.SenderUnauthenticated
		e.AcceptRSAOAEP = "their library is old"
		k, own := ours("k-odd", "odd", registry.Active, 400)
		k.Alarm = alarm
		next, nextOwn := ours("k-next", "odd", registry.Staged, 700)
		doubted := theirs("c-doubted", "odd", registry.Active, 400)
		doubted.Alarm = alarm
		waived := theirs("c-waived", "odd", registry.Retiring, 400)
		waived.Provenance.Waivers = []registry.Waiver{{Rule: "key size", Reason: "until June", Asked: "ada",
			Granted: "ben", At: noon}}
		wrong := theirs("c-wrong", "odd", registry.Received, 400)
		wrong.Provenance.Mismatches = []registry.Mismatch{{At: noon, By: "ada", What: "the checksum"}}
		new, fresh := lane("new")
		gone, ended := lane("gone")
		h.put(p, e, k, own, next, nextOwn, doubted, waived, wrong, theirs("c-matched", "odd", registry.Matched, 400),
			&registry.Offer{KeyPair: k.ID, Partner: "odd", At: noon, Installed: noon, Confirmed: noon},
			&registry.Offer{KeyPair: next.ID, Partner: "odd", At: noon}, new, fresh, gone, ended,
			theirs("c-gone", "gone", registry.Retiring, 20),
			&registry.Request{ID: "r-1", State: registry.RequestOpen, Partner: "odd", By: "ada", Created: noon,
				Ends: noon.AddDate(0, 0, 7)},
			&registry.Request{ID: "r-2", State: registry.RequestGranted, By: "ada", Created: noon,
				Ends: noon.Add(time.Hour)},
			&registry.Request{ID: "r-3", State: registry.RequestOpen, By: "ada", Created: noon, Ends: noon})
		h.wants(in75, "!alarm odd c-doubted → us", "!alarm odd k-odd → us", "waiver odd c-waived → nobody",
			"incoming odd c-wrong → odd", "!mismatch odd c-wrong → us", "incoming odd c-matched → a second person",
			"offer odd k-next → odd", "request odd r-1 → a second person", "request  r-2 → us", "no-contact odd  → us",
			"optional odd  → nobody", "no-caller odd  → nobody", "accepts-sha1 odd  → nobody", "no-ours new  → us",
			"no-theirs new  → new", "no-ours gone  → us", "!no-theirs gone c-gone → us")
		list := h.look(todo.Query{Days: 75, Partner: "new"})
		if got := lines(list); len(got) != 2 {
			t.Errorf("of one partner: %q", got)
		}
		for _, i := range h.look(in75).Items {
			if i.Text == "" || i.Next.Text == "" || i.Next.Waits == "" {
				t.Errorf("it says too little: %+v", i)
			}
		}
	})
}

// A list is bounded, and says how many it lacks.
func TestRest(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		for i := range 7 {
			p, e := lane(fmt.Sprint("p", i))
			e.Contacts = nil
			h.put(p, e, &registry.Request{ID: fmt.Sprint("r", i), State: registry.RequestOpen,
				Ends: noon.Add(time.Duration(9-i) * time.Hour)})
		}
		list := h.look(todo.Query{Days: 75, Limit: 3})
		got := map[todo.Kind]int{}
		for _, r := range list.Rest {
			got[r.Kind] = r.Count
		}
		for _, kind := range []todo.Kind{todo.Request, todo.NoContact, todo.NoOurs, todo.NoTheirs} {
			n := 0
			for _, i := range list.Items {
				if i.Kind == kind {
					n++
				}
			}
			if n != 3 || got[kind] != 4 {
				t.Errorf("%s: %d items and %d more, want 3 and 4", kind, n, got[kind])
			}
		}
		if first := list.Items[0]; first.ID != "r6" || !first.Urgent {
			t.Errorf("the request that ends first is not first: %+v", first)
		}
		for _, q := range []todo.Query{{}, {Days: 4000}, {Days: 1, Limit: 501}, {Days: 1, Limit: -1}} {
			if _, err := todo.Look(t.Context(), &h.Program().Viewer, q); err == nil {
				t.Errorf("%+v is possible", q)
			}
		}
		if _, err := todo.Look(t.Context(), &h.Program().Viewer, todo.Query{Days: 1, Partner: "none"}); err == nil {
			t.Error("an unknown partner has a list")
		}
	})
}

// Another root key is proposed two years after it was set, or the last rotation has ended.
func TestRootKey(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		token, err := h.Found(t.Context(), registry.Person{ID: "ada", Name: "Ada"})
		h.must(err)
		ada, err := h.Login(t.Context(), token)
		h.must(err)
		root, err := rootkey.Generate()
		h.must(err)
		h.must(ada.SetRoot(t.Context(), root, nil))
		h.put()
		h.now = noon.AddDate(2, 0, 0).Add(-time.Second)
		has := func() bool {
			return slices.ContainsFunc(h.look(in75).Items, func(i todo.Item) bool {
				return i.Kind == todo.RootKey && i.Since.Equal(noon) && !i.Urgent &&
					i.Next.Advice.Action == registry.ActionRootKeyRotate
			})
		}
		if has() {
			t.Error("a second before two years")
		}
		if h.now = h.now.Add(time.Second); !has() {
			t.Errorf("after two years: %+v", h.look(in75).Items)
		}
	})
}

// A node that uses a key an hour or more after it has ended is named for a week.
func TestUsedLate(t *testing.T) {
	onBoth(t, func(t *testing.T, h *company) {
		p, e := lane("acme")
		old := theirs("c-old", "acme", registry.Retired, 400)
		pair, own := ours("k-old", "acme", registry.Retired, 400)
		old.Changed, pair.Changed = noon, noon
		h.put(p, e, old, pair, own, theirs("c-new", "acme", registry.Active, 700))
		batch := int64(0)
		use := func(key string, after time.Duration) {
			batch++
			at := noon.Add(after)
			h.must(h.Store.UsedKeys(t.Context(), lanes.KeyUses{
				Node: "one", Process: "p", Batch: batch, Seen: []lanes.KeySeen{{
					KeyUse: lanes.KeyUse{Key: key, Partner: "acme", Direction: lanes.Out},
					Seen:   lanes.Seen{First: at, Last: at, Count: 1},
				}},
			}))
		}
		late := func() (list []string) {
			for _, i := range h.look(in75).Items {
				if i.Kind == todo.UsedLate && i.Urgent && strings.Contains(i.Text, `node "one" has used `+i.ID) {
					list = append(list, i.ID)
				}
			}
			return list
		}
		h.now = noon.Add(3 * time.Hour)
		use("c-old", 30*time.Minute)
		use("k-old", -time.Hour)
		use("c-new", 2*time.Hour)
		if got := late(); got != nil {
			t.Errorf("uses before the end: %q", got)
		}
		use("c-old", 2*time.Hour)
		use("k-old", 90*time.Minute)
		if got := late(); !slices.Equal(got, []string{"c-old", "k-old"}) {
			t.Errorf("%q", got)
		}
		h.now = noon.AddDate(0, 0, 8)
		if got := late(); got != nil {
			t.Errorf("a week later: %q", got)
		}
	})
}
