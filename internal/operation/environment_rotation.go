package operation

import "github.com/sealane/sealane/internal/registry"

// RotationChange is what an [EnvironmentChange] changes of how keys and certificates change. 0 is
// the default of a number.
type RotationChange struct {
	Slots   *int             `json:"slots,omitempty"`
	Lead    *int             `json:"lead,omitempty"`
	Notice  *int             `json:"notice,omitempty"`
	Overlap *int             `json:"overlap,omitempty"`
	Quiet   *int             `json:"quiet,omitempty"`
	Retire  *registry.Retire `json:"retire,omitempty"`
	// Notices are the days before the end of the notices after the first; empty: the default.
	Notices *[]int `json:"notices,omitempty"`
	// Window is a text such as "Mon-Fri 22:00-04:00 Europe/Berlin", or "always". The freezes stay.
	Window *string `json:"window,omitempty"`
	// Unfreeze are dates: freezes that they are in are removed, before others are added.
	Unfreeze []string `json:"unfreeze,omitempty"`
	// Freeze are texts such as "2026-12-18..2027-01-04 year end". They are added.
	Freeze []string `json:"freeze,omitempty"`
}

func (c RotationChange) setRotation(r *registry.Rotation) error {
	assign(&r.Slots, c.Slots)
	assign(&r.Lead, c.Lead)
	assign(&r.Notice, c.Notice)
	assign(&r.Overlap, c.Overlap)
	assign(&r.Quiet, c.Quiet)
	assign(&r.Retire, c.Retire)
	assign(&r.Notices, c.Notices)
	if c.Window != nil {
		w, err := registry.ParseWindow(*c.Window)
		if err != nil {
			return err
		}
		w.Freezes = r.Window.Freezes
		r.Window = w
	}
	for _, date := range c.Unfreeze {
		if err := r.Window.Unfreeze(date); err != nil {
			return err
		}
	}
	for _, text := range c.Freeze {
		f, err := registry.ParseFreeze(text)
		if err != nil {
			return err
		}
		r.Window.Freeze(f)
	}
	return nil
}
