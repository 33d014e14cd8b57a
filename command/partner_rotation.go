package command

import (
	"github.com/spf13/pflag"

	"github.com/sealane/sealane/internal/operation"
)

// rotationFlags are the flags for how keys and certificates change in an environment.
type rotationFlags struct {
	f *pflag.FlagSet

	slots, lead, notice, overlap, quiet int
	retire, window                      string
	freeze, unfreeze                    []string
	notices                             []int
}

func addRotationFlags(f *pflag.FlagSet) *rotationFlags {
	r := &rotationFlags{f: f}
	f.IntVar(&r.slots, "slots", 0,
		"how many certificates the partner can hold at a time: 1 or 2 (default the profile's)")
	f.IntVar(&r.lead, "lead", 0, "how many `days` before the end of a key its successor is due (default 75)")
	f.IntVar(&r.notice, "notice", 0,
		"how many `days` the partner needs between an offer and an activation (default none)")
	f.IntVar(&r.overlap, "overlap", 0,
		"for how many `days` the old key counts after the new one is active (default 90)")
	f.IntVar(&r.quiet, "quiet", 0,
		"after how many observed `days` without use the old key may be retired (default 14)")
	f.IntSliceVar(&r.notices, "notices", nil,
		"`days` before the end of the notices after the first, which is at the lead (default 60,30,14,7,1)")
	f.StringVar(&r.retire, "retire", "",
		"what happens then: propose it to a person (the default), do it, or never")
	f.StringVar(&r.window, "window", "",
		`when keys may become active, such as "Mon-Fri 22:00-04:00 Europe/Berlin", or always`)
	f.StringArrayVar(&r.freeze, "freeze", nil,
		``+"`days`"+` on which none becomes active, such as "2026-12-18..2027-01-04 year end" (repeatable; adds)`)
	f.StringArrayVar(&r.unfreeze, "unfreeze", nil, "remove the freezes that this `date` is in (repeatable)")
	return r
}

// change returns what the flags on the command line name.
func (r *rotationFlags) change() (in operation.RotationChange) {
	for flag, set := range map[string]func(){
		"slots":   func() { in.Slots = &r.slots },
		"lead":    func() { in.Lead = &r.lead },
		"notice":  func() { in.Notice = &r.notice },
		"overlap": func() { in.Overlap = &r.overlap },
		"quiet":   func() { in.Quiet = &r.quiet },
		"retire":  func() { in.Retire = (*operation.Retiring)(&r.retire) },
		"notices": func() { in.Notices = &r.notices },
		"window":  func() { in.Window = &r.window },
	} {
		if r.f.Changed(flag) {
			set()
		}
	}
	in.Freeze, in.Unfreeze = r.freeze, r.unfreeze
	return in
}
