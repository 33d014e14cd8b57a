package registry

import (
	"slices"
	"strings"
)

// mayEnd refuses to end a pair that is still needed, or that a partner may have installed.
func mayEnd(tx Reader, k KeyPair) error {
	relying, err := relyingOn(tx, k)
	if err != nil {
		return err
	}
	switch {
	case len(relying) == 0:
	case k.Partner != "" && k.State == Active:
		return Refuse("key pair %s is in use: activate its renewal first, or end the lane with it", k.ID).Needing(Last)
	case k.State == Retiring:
		return Refuse(
			"key pair %s is the last that %s can use, because none is active: record that they use it again, "+
				"or that they have installed another, or end their lanes with it", k.ID, someOf(relying)).Needing(Last)
	default:
		return Refuse(
			"key pair %s is the one that %s use: they must install its renewal first, or their lanes end with it",
			k.ID, someOf(relying)).Needing(Last)
	}
	if !k.State.InUse() {
		return nil
	}
	if held, err := heldParts(tx, k); err != nil || len(held) > 0 {
		if err == nil {
			err = Refuse("key pair %s can't end while the renewals of %s are held, and they may go back to it",
				k.ID, someOf(held))
		}
		return err
	}
	offered, err := tx.OpenOffers(k.ID, manyNames)
	if err != nil || len(offered) == 0 {
		return err
	}
	return Refuse(
		"key pair %s was offered to %s, who may have installed it: record that they have, withdraw the offer, "+
			"or end their lanes with it", k.ID, someOf(offered)).Needing(Last)
}

// relyingOn returns partners for whom a pair is the active one, or the last that is not staged.
func relyingOn(tx Reader, k KeyPair) ([]string, error) {
	if k.Partner == "" {
		return tx.Relying(k, manyNames)
	}
	p, err := tx.Partner(k.Partner)
	if err != nil {
		return nil, err
	}
	pairs, err := PairsFor(tx, p, k.Environment)
	if err != nil {
		return nil, err
	}
	other := func(o KeyPair) bool { return o.ID != k.ID && (o.State == Active || o.State == Retiring) }
	for _, one := range pairs {
		if one.ID == k.ID && (one.State == Active || one.State == Retiring && !slices.ContainsFunc(pairs, other)) {
			return []string{k.Partner}, nil
		}
	}
	return nil, nil
}

// manyNames is one more than a refusal names.
const manyNames = 4

// someOf joins names; of many it says only that there are others.
func someOf(names []string) string {
	if len(names) >= manyNames {
		names = append(names[:manyNames-1:manyNames-1], "others")
	}
	return strings.Join(names, ", ")
}

// heldParts returns partners who share a pair, and whose renewal from it to another is held.
func heldParts(tx Reader, k KeyPair) (partners []string, err error) {
	q := RenewalQuery{Open: true, Key: k.ID, Owner: Ours, Page: Page{Limit: 1000}}
	for k.Partner == "" && len(partners) < manyNames {
		page, damaged, err := Readable(tx.Renewals(q))
		if err != nil || len(page)+len(damaged) == 0 {
			return partners, err
		}
		for _, n := range page {
			q.After = max(q.After, n.ID)
			if n.Partner != "" && n.Replaces == k.ID && n.Hold != nil && len(partners) < manyNames {
				partners = append(partners, n.Partner)
			}
		}
		for _, row := range damaged {
			q.After = max(q.After, row.ID)
		}
	}
	return partners, nil
}
