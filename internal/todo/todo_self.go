package todo

import (
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// schedule says that no schedule runs, where there is a key that one has to watch.
func (l *look) schedule() error {
	if l.Partner != "" {
		return nil
	}
	last, stopped, err := renewal.Stopped(l.tx, l.now)
	if err != nil || !stopped {
		return err
	}
	l.add(Item{
		Kind: Schedule, Since: last, Urgent: true,
		Text: renewal.NoPass(last) + ": no renewal begins, and nobody is told that a key ends",
		Next: exchange.Next{Text: "let one run, and find out why none did", Waits: exchange.WaitsForUs},
	})
	return nil
}

// lately is for how long an anchor of a program counts that the registry does not name.
const lately = 7 * 24 * time.Hour

// anchors are those to which heads of the audit log can't be written.
func (l *look) anchors() error {
	if l.Partner != "" {
		return nil
	}
	all, err := registry.LookAtAnchors(l.tx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		l.add(Item{
			Kind: Anchor, Text: "the audit log has no anchor: nothing outside the database confirms it",
			Next: exchange.Next{
				Text: "name one", Waits: exchange.WaitsForUs,
				Advice: registry.Advice{Action: registry.ActionAnchorsSet},
			},
		})
	}
	for _, a := range all {
		i := Item{Kind: Anchor, Since: a.Since, Urgent: true, Next: exchange.Next{
			Text: "put it in order, and write the head there", Waits: exchange.WaitsForUs,
			Advice: registry.Advice{Action: registry.ActionAuditAnchor},
		}}
		switch {
		case a.Contradiction != "":
			i.Text, i.Since = a.Contradiction, a.At
			i.Next = exchange.Next{Text: "verify the log against the anchor's heads", Waits: exchange.WaitsForUs}
		case a.Failed != "" && (a.Expected || l.now.Sub(a.Tried) < lately):
			i.Text = fmt.Sprintf("the head of the audit log can't be written to anchor %s: %s", a.Anchor, a.Failed)
		case a.Expected && a.Last.Seq == 0:
			i.Text = fmt.Sprintf("nothing was written to anchor %s yet", a.Anchor)
		default:
			continue
		}
		l.add(i)
	}
	return nil
}

// rootKey proposes another root key after years.
func (l *look) rootKey() error {
	if l.Partner != "" {
		return nil
	}
	since, old, err := registry.RootKeyAge(l.tx, l.now)
	if old {
		l.add(Item{
			Kind: RootKey, Text: "the root key is the same", Since: since,
			Next: exchange.Next{
				Text: "encrypt the private keys under another one", Waits: exchange.WaitsForUs,
				Advice: registry.Advice{Action: registry.ActionRootKeyRotate},
			},
		})
	}
	return err
}

// usedLate are the keys that nodes use after they have ended.
func (l *look) usedLate() error {
	late, err := registry.LateUses(l.tx, l.now)
	for _, u := range late {
		if l.Partner != "" && l.Partner != u.Partner {
			continue
		}
		l.add(Item{
			Kind: UsedLate, ID: u.Key, Partner: u.Partner, Text: renewal.UsedLate(u), Urgent: true,
			Next: exchange.Next{
				Text: "find out what that node serves", Waits: exchange.WaitsForUs,
			},
		})
	}
	return err
}
