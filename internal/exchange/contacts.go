package exchange

import (
	"context"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// maxTaken is how many contacts are taken from one file.
const maxTaken = 10

// TakeContacts adds the contacts that a partner file names to the environment of the certificate
// that came with it. The certificate must be approved: until then nobody knows that the file is
// from the partner, and its sender would name those whom we call back.
func (e Exchange) TakeContacts(ctx context.Context, id string) (lane lanes.Name, added []registry.Contact, err error) {
	var c registry.Certificate
	err = e.session.View(ctx, func(tx registry.Reader) error {
		c, err = theirs(tx, id)
		return err
	})
	if err != nil {
		return lane, nil, err
	}
	lane = lanes.Name{Partner: c.Partner, Environment: c.Environment}
	switch {
	case c.State.Open() && c.State != registry.Approved:
		return lane, nil, registry.Refuse("certificate %s is %s: its sender is known when it is approved", id, c.State)
	case !c.State.Open() && !c.State.InUse():
		return lane, nil, registry.Refuse("certificate %s is %s: take the contacts of one that is in use", id, c.State)
	}
	f, err := read(c.Provenance.File)
	if err != nil {
		return lane, nil, registry.Judged(err)
	}
	if f.partnerFile == nil || len(f.partnerFile.Contacts) == 0 {
		return lane, nil, registry.Refuse("certificate %s came without a partner file that names contacts", id)
	}
	if n := len(f.partnerFile.Contacts); n > maxTaken {
		return lane, nil, registry.Refuse("the partner file names %d contacts, more than %d: add those that you need",
			n, maxTaken)
	}
	for i := range f.partnerFile.Contacts {
		f.partnerFile.Contacts[i].Name = cut(f.partnerFile.Contacts[i].Name, 100)
	}
	added, err = e.session.AddContacts(ctx, lane, f.partnerFile.Contacts)
	return lane, added, err
}
