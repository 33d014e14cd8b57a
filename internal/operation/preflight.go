package operation

import (
	"context"
	"errors"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// LaneReady says whether messages of a lane can be sealed and opened.
type LaneReady struct {
	Partner     string `json:"partner"`
	Environment string `json:"environment,omitempty"` // empty: the partner can't be read
	Ready       bool   `json:"ready"`
	// Checks are those that refuse, and those that warn.
	Checks []Check `json:"checks,omitempty"`
}

// LanesReady is a page of lanes.
type LanesReady struct {
	Lanes []LaneReady `json:"lanes"`
	More  string      `json:"more,omitempty"` // After of the next page
	Damage
}

// Preflight checks everything that a lane needs, as Status does.
var Preflight = checking("Preflight",
	func(ctx context.Context, v *keyViewer, in LaneName) (out LaneReady, err error) {
		out.Partner, out.Environment = in.Partner, in.Environment
		out.Checks, out.Ready, err = v.preflight(ctx, v.checkRoot(ctx), lanes.Name(in))
		return out, err
	})

// PreflightAll is Preflight for a page of partners, with the checks that do not pass.
var PreflightAll = checking("PreflightAll",
	func(ctx context.Context, v *keyViewer, in Lanes) (out LanesReady, err error) {
		list, err := listPartners(ctx, v.Viewer, PartnerQuery{After: in.After, Limit: in.Limit})
		if err != nil {
			return out, err
		}
		out.More, out.Damage = list.More, list.Damage
		root := v.checkRoot(ctx)
		for _, p := range list.Partners {
			lanes, err := v.partnerReady(ctx, root, p.ID)
			if err != nil {
				return out, err
			}
			out.Lanes = append(out.Lanes, lanes...)
		}
		return out, nil
	})

// partnerReady returns the lanes of a partner.
func (v *keyViewer) partnerReady(ctx context.Context, root Check, partner string) (all []LaneReady, err error) {
	var environments []Environment
	var damaged registry.DamagedRows
	err = v.View(ctx, func(tx registry.Reader) (err error) {
		environments, damaged, err = registry.Readable(tx.Environments(partner))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range damaged {
		all = append(all, unreadable(partner, "", row))
	}
	for _, env := range environments {
		checks, ready, err := v.preflight(ctx, root, lanes.Name{Partner: partner, Environment: env.Name})
		_, damaged := errors.AsType[*registry.DamagedRow](err)
		if damaged || errors.Is(err, registry.ErrNotFound) { // its profile
			all = append(all, unreadable(partner, env.Name, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, LaneReady{Partner: partner, Environment: env.Name, Ready: ready, Checks: notOK(checks)})
	}
	return all, nil
}

// unreadable returns a lane of which something can't be read.
func unreadable(partner, environment string, why error) LaneReady {
	return LaneReady{Partner: partner, Environment: environment, Checks: []Check{{Finding: cert.Finding{
		Code: "damaged-row", Name: "row", Level: cert.Refused, Found: why.Error(), Remedy: "restore the row",
	}}}}
}

func notOK(checks []Check) (some []Check) {
	for _, c := range checks {
		if c.Level != cert.OK {
			some = append(some, c)
		}
	}
	return some
}

// preflight checks a lane, and the root key where the lane needs it.
func (v *keyViewer) preflight(ctx context.Context, root Check, of lanes.Name) (all []Check, ready bool, err error) {
	all, ready, err = exchange.Preflight(ctx, v.Viewer, of)
	if err != nil {
		return nil, false, err
	}
	if root.Level != cert.OK {
		needed, err := exchange.NeedsOurs(ctx, v.Viewer, of.Partner)
		if err != nil || !needed {
			return all, ready, err
		}
	}
	return append([]Check{root}, all...), ready && root.Level != cert.Refused, nil
}
