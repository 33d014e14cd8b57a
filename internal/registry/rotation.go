package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/countdown"
	"github.com/sealane/sealane/internal/registry/internal/guard"
	"github.com/sealane/sealane/profile"
)

// Rotation says how keys and certificates change in an environment. The zero value has the defaults.
type Rotation struct {
	// Slots is how many certificates the partner can hold at a time, of ours and of its own: 1 or 2.
	// 0 is as the profile says.
	Slots int `json:"slots,omitempty"`
	// Lead is how many days before the end a successor is due. 0 is [DefaultLead].
	Lead int `json:"lead,omitempty"`
	// Notice is how many days the partner needs between an offer, or our mail, and an activation.
	Notice int `json:"notice,omitempty"`
	// Overlap is for how many days the old one still counts after the new one is active.
	// 0 is [DefaultOverlap].
	Overlap int `json:"overlap,omitempty"`
	// Quiet is after how many observed days without use the old one may be retired. 0 is [DefaultQuiet].
	Quiet  int    `json:"quiet,omitempty"`
	Retire Retire `json:"retire,omitempty"` // empty: [RetirePropose]
	// Notices are on which days before the end notices follow the first one, which is at the lead.
	// Empty is [DefaultNotices]. The day of the end follows, and then each week.
	Notices []int  `json:"notices,omitempty"`
	Window  Window `json:"window,omitzero"` // when activations may happen
}

// Days that count where an environment names none.
const (
	DefaultLead    = countdown.Lead // the vendor's specification asks for a notice of NoticeAsked
	DefaultOverlap = 90
	DefaultQuiet   = 14
)

// NoticeAsked is how many days before its end the vendor's specification asks for a notice that a
// certificate will be replaced. A shorter lead than that is a rule that was loosened.
const NoticeAsked = 60

// ContactsAsked is how many days before the end of a certificate a partner's contacts are asked whether they are
// still the right ones.
const ContactsAsked = 120

const (
	maxDays       = 3650
	maxNoticeDays = 30
)

// Retire says who ends the use of a key that another has followed.
type Retire string

// The ways to retire. The program proposes it to a person, does it by itself, or does neither.
const (
	RetirePropose Retire = "propose"
	RetireDo      Retire = "do"
	RetireNever   Retire = "never"
)

// SlotsOf returns how many certificates the partner can hold at a time.
func (e Environment) SlotsOf(prof *profile.Profile) int {
	return cmp.Or(e.Rotation.Slots, prof.Keys.Slots, profile.DefaultSlots)
}

// LeadDays returns how many days before the end a successor is due.
func (r Rotation) LeadDays() int { return cmp.Or(r.Lead, DefaultLead) }

// NoticeDays returns how many days the partner needs before an activation.
func (r Rotation) NoticeDays() int { return r.Notice }

// OverlapDays returns for how many days the old one counts after the new one is active.
func (r Rotation) OverlapDays() int { return cmp.Or(r.Overlap, DefaultOverlap) }

// QuietDays returns after how many observed days without use the old one may be retired.
func (r Rotation) QuietDays() int { return cmp.Or(r.Quiet, DefaultQuiet) }

// Quiet reports whether so many days without use are enough.
func Quiet(days, need int) bool { return days >= need || guard.Out(guard.Quiet) }

// RetireAs returns who ends the use of the old one.
func (r Rotation) RetireAs() Retire { return cmp.Or(r.Retire, RetirePropose) }

// String returns what differs from the defaults, without the freezes, for people. It is empty if
// nothing does.
func (r Rotation) String() string {
	var parts []string
	add := func(set bool, format string, value any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add(r.Slots != 0, "slots %d", r.Slots)
	add(r.Lead != 0, "lead %d days", r.Lead)
	add(r.Notice != 0, "notice %d days", r.Notice)
	add(r.Overlap != 0, "overlap %d days", r.Overlap)
	add(r.Quiet != 0, "quiet %d days", r.Quiet)
	add(r.Retire != "", "retire %s", r.Retire)
	add(len(r.Notices) > 0, "notices %v days before the end", r.Notices)
	add(r.Window.String() != Window{}.String(), "window %s", r.Window)
	return strings.Join(parts, ", ")
}

// RotationOf returns how a key of a leg changes. For a pair that partners share, it has the longest lead of their
// environments, and else the defaults: one of them needs that time.
func RotationOf(tx Reader, leg Leg, id string) (r Rotation, err error) {
	if leg.Partner != "" {
		env, err := tx.Environment(leg.Partner, leg.Environment)
		return env.Rotation, err
	}
	k, err := tx.KeyPair(id)
	if err != nil {
		return r, err
	}
	all, _, err := Readable(tx.SharedRotations(k))
	for _, one := range all {
		r.Lead = max(r.Lead, one.LeadDays())
	}
	return r, err
}

// clone returns a copy that shares nothing with the rotation.
func (r Rotation) clone() Rotation {
	r.Window.Days, r.Window.Freezes = slices.Clone(r.Window.Days), slices.Clone(r.Window.Freezes)
	r.Notices = slices.Clone(r.Notices)
	return r
}

// check refuses a rotation that no environment can have.
func (r Rotation) check() error {
	if r.Slots < 0 || r.Slots > 2 {
		return Refuse("a partner holds 1 or 2 certificates at a time, not %d", r.Slots)
	}
	for _, days := range []struct {
		name string
		n    int
	}{{"lead", r.Lead}, {"notice", r.Notice}, {"overlap", r.Overlap}, {"quiet", r.Quiet}} {
		if days.n < 0 || days.n > maxDays {
			return Refuse("%s: %d days are not possible; say 1 to %d", days.name, days.n, maxDays)
		}
	}
	if len(r.Notices) > maxNoticeDays {
		return Refuse("notices on %d days are too many; %d are possible", len(r.Notices), maxNoticeDays)
	}
	for _, days := range r.Notices {
		if days < 1 || days >= r.LeadDays() {
			return Refuse("a notice %d days before the end is not possible: the first one is at the lead, which is "+
				"%d days; say 1 to %d, or lengthen the lead", days, r.LeadDays(), r.LeadDays()-1)
		}
	}
	switch r.RetireAs() {
	case RetirePropose, RetireDo, RetireNever:
	default:
		return Refuse("retire: %q is none of %s, %s and %s", r.Retire, RetirePropose, RetireDo, RetireNever)
	}
	return r.Window.check()
}

const (
	maxFreezes = 100
	maxBecause = 200 // characters
)

// check refuses a window that can't be read.
func (w Window) check() error {
	if _, err := w.read(); err != nil {
		return err
	}
	if len(w.Freezes) > maxFreezes {
		return Refuse("%d freezes are too many, %d are possible: remove those that are over",
			len(w.Freezes), maxFreezes)
	}
	for _, f := range w.Freezes {
		for _, date := range []string{f.From, f.To} {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				return Refuse("freeze: %q is no date; write it as 2026-12-18", date)
			}
		}
		if f.To < f.From {
			return Refuse("the freeze from %s ends before it begins, on %s", f.From, f.To)
		}
		if n := utf8.RuneCountInString(f.Reason); n > maxBecause || strings.ContainsFunc(f.Reason, notPlain) {
			return Refuse("the reason of the freeze from %s must be one line of at most %d characters",
				f.From, maxBecause)
		}
	}
	return nil
}

func notPlain(r rune) bool { return r < ' ' || r == '\x7f' || r == utf8.RuneError }
