package renewal

import (
	"context"

	"github.com/sealane/sealane/internal/registry"
)

// before returns a certificate that still counts from before the one that the renewal replaces. A
// message that is refused is sent once more, to one other key: there must be no third one.
func (p *pass) before(ctx context.Context, n registry.Renewal) (id string, err error) {
	err = p.session.View(ctx, func(tx registry.Reader) error {
		all, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, Partner: n.Partner, Environment: n.Environment,
			States: []registry.State{registry.Retiring},
		})
		for _, c := range all {
			if c.ID != n.Replaces {
				id = c.ID
			}
		}
		return err
	})
	return id, err
}
