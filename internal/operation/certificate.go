package operation

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// Step is the state of a certificate or key pair after an operation, and the next step.
type Step struct {
	ID    string        `json:"id"`
	State State         `json:"state"`
	Next  exchange.Next `json:"next"`
}

// step reads the state of a certificate or key pair after an operation. partner is the one
// that a shared key pair is about.
func (s *Session) step(ctx context.Context, id, partner string) (Step, error) {
	now, next, err := exchange.StandingOf(ctx, &s.Viewer, id, partner)
	return Step{ID: id, State: now, Next: next}, err
}

// Received is a certificate that was received.
type Received struct {
	Step
	CommonName string         `json:"common_name"`
	NotAfter   time.Time      `json:"not_after"`
	Findings   []cert.Finding `json:"findings"`
	// Renewal is the one in which it follows another certificate, Replaces; both are empty where it
	// follows none.
	Renewal  string `json:"renewal,omitempty"`
	Replaces string `json:"replaces,omitempty"`
}

// Receive receives a certificate that a partner sent.
var Receive = changing("Receive", registry.ActionExchangeReceive,
	func(ctx context.Context, s *Session, in exchange.Incoming) (out Received, err error) {
		c, found, err := exchange.New(s.Session).Receive(ctx, in)
		if err != nil {
			return out, err
		}
		out.CommonName, out.NotAfter, out.Findings = c.CommonName, c.NotAfter, found
		err = s.View(ctx, func(tx registry.Reader) error {
			n, err := registry.FindRenewal(tx, c.ID, "")
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			if n.Successor == c.ID {
				out.Renewal, out.Replaces = n.ID, n.Replaces
			}
			return err
		})
		if err != nil {
			return out, err
		}
		out.Step, err = s.step(ctx, c.ID, "")
		return out, err
	})

// Matched is a certificate whose checksum was compared.
type Matched struct {
	Step
	As string `json:"matched"` // the form that the checksum is of
}

// Checksum compares a certificate with the checksum of the partner's second message.
var Checksum = changing("Checksum", registry.ActionExchangeMatch,
	func(ctx context.Context, s *Session, in exchange.Comparison) (out Matched, err error) {
		if out.As, err = exchange.New(s.Session).MatchChecksum(ctx, in); err != nil {
			return out, err
		}
		out.Step, err = s.step(ctx, in.Certificate, "")
		return out, err
	})

// Approval is the approval of certificates.
type Approval struct {
	Certificates []string `json:"certificates"`
	exchange.Approval
}

// Approve approves certificates one after the other while the sequence is ranged over. All are
// checked before the first is approved.
var Approve = changing("Approve", registry.ActionExchangeApprove,
	func(ctx context.Context, s *Session, in Approval) (iter.Seq2[Shown, error], error) {
		return func(yield func(Shown, error) bool) {
			for id, err := range exchange.New(s.Session).ApproveAll(ctx, in.Certificates, in.Approval) {
				var out Shown
				if err == nil {
					out, err = show(ctx, &s.Viewer, id)
				}
				if !yield(out, err) || err != nil {
					return
				}
			}
		}, nil
	})

// Migration approves certificates that another system has exchanged.
type Migration = exchange.Migration

// Migrate approves certificates as of another system's record, by two people.
var Migrate = repeatable("Migrate", registry.ActionExchangeMigrate,
	func(ctx context.Context, s *Session, in Migration) (Migration, error) {
		return in, exchange.New(s.Session).Migrate(ctx, in)
	})

// WaitingCertificates returns the certificates that came in with a table and are not approved, up to
// as many as one migration approves. Those that exchange.MayMigrate refuses are approved by
// themselves.
var WaitingCertificates = reading("WaitingCertificates",
	func(ctx context.Context, v *registry.Viewer, _ None) (waiting []string, err error) {
		q := registry.CertificateQuery{
			Owner: registry.Theirs, States: []State{registry.Received, registry.Matched}, Page: Page{Limit: 1000},
		}
		for len(waiting) < exchange.MaxMigrated {
			var page []registry.Certificate
			var may []string
			err = v.View(ctx, func(tx registry.Reader) error {
				may = nil
				if page, _, err = registry.Readable(tx.Certificates(q)); err != nil {
					return err
				}
				for _, c := range page {
					err := exchange.MayMigrate(tx, c)
					if _, refused := errors.AsType[*registry.RefusedError](err); err != nil && !refused {
						return err
					} else if !refused {
						may = append(may, c.ID)
					}
				}
				return nil
			})
			if err != nil || len(page) == 0 {
				return waiting, err
			}
			waiting, q.After = append(waiting, may...), page[len(page)-1].ID
		}
		return waiting[:min(len(waiting), exchange.MaxMigrated)], nil
	})

// ID names a certificate or key pair. Partner is the one concerned, for a key pair that all
// partners of a profile share.
type ID struct {
	ID      string `json:"id"`
	Partner string `json:"partner,omitempty"`
}

// simple is an operation on one certificate or key pair.
func simple(
	name string, a registry.Action, f func(exchange.Exchange, context.Context, ID) error,
) *Operation[ID, Step] {
	return changing(name, a, func(ctx context.Context, s *Session, in ID) (Step, error) {
		if err := f(exchange.New(s.Session), ctx, in); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.ID, in.Partner)
	})
}

// Operations on one certificate or key pair.
var (
	// Reject ends the exchange of a certificate, or withdraws the offer of a key pair of ours.
	Reject = simple("Reject", registry.ActionExchangeReject,
		func(e exchange.Exchange, ctx context.Context, of ID) error {
			if exchange.IsKeyPair(of.ID) {
				return e.Withdraw(ctx, exchange.Target{KeyPair: of.ID, Partner: of.Partner})
			}
			return e.Reject(ctx, of.ID)
		})

	// Stage makes an approved certificate verify. Messages are still encrypted to the
	// previous one.
	Stage = simple("Stage", registry.ActionExchangeStage,
		func(e exchange.Exchange, ctx context.Context, of ID) error { return e.Stage(ctx, of.ID) })

	// Dismiss records that the alarm about a certificate or key pair in use is unfounded.
	Dismiss = simple("Dismiss", registry.ActionExchangeDismiss,
		func(e exchange.Exchange, ctx context.Context, of ID) error { return e.Dismiss(ctx, of.ID) })

	// Undo returns a certificate or key pair to the state before its last step.
	Undo = simple("Undo", registry.ActionExchangeUndo,
		func(e exchange.Exchange, ctx context.Context, of ID) error {
			_, err := e.Undo(ctx, of.ID, of.Partner)
			return err
		})
)

// Retirement names a certificate or key pair that is retired.
type Retirement = exchange.Ending

// Retire ends the use of a certificate or key pair that another has replaced.
var Retire = changing("Retire", registry.ActionExchangeRetire,
	func(ctx context.Context, s *Session, in Retirement) (Step, error) {
		if err := exchange.New(s.Session).End(ctx, in); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.ID, "")
	})

// Alias assigns a key ID (alias), or records the one that the partner assigned.
var Alias = changing("Alias", registry.ActionExchangeAlias,
	func(ctx context.Context, s *Session, in exchange.KeyIDChange) (Step, error) {
		if err := exchange.New(s.Session).SetKeyID(ctx, in); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.ID, "")
	})

// ChallengeRequest asks for a challenge of a certificate's owner.
type ChallengeRequest struct {
	Certificate string `json:"certificate"`
	Again       bool   `json:"again,omitempty"` // the previous one becomes invalid
}

// Challenge returns a message that only the certificate's owner can open.
var Challenge = changing("Challenge", registry.ActionExchangeChallenge,
	func(ctx context.Context, s *Session, in ChallengeRequest) ([]byte, error) {
		return exchange.New(s.Session).Challenge(ctx, in.Certificate, in.Again)
	})

// Prove checks the partner's answer to a challenge.
var Prove = changing("Prove", registry.ActionExchangeProve,
	func(ctx context.Context, s *Session, in exchange.Proof) (Step, error) {
		if err := exchange.New(s.Session).Prove(ctx, in); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.Certificate, "")
	})

// ChallengeToOpen is a partner's challenge.
type ChallengeToOpen struct {
	Token   []byte `json:"token"`
	Partner string `json:"partner,omitempty"` // who sent it
}

// Opened is the text of a challenge.
type Opened struct {
	Answer string `json:"answer"`
}

// Answer opens a partner's challenge with one of our key pairs.
var Answer = withKeys("Answer", registry.ActionExchangeAnswer,
	func(ctx context.Context, s *Session, in ChallengeToOpen) (Opened, error) {
		text, err := exchange.New(s.Session).Answer(ctx, in.Token, in.Partner)
		return Opened{text}, err
	})

// CertificateFile names a certificate, and the format of its file.
type CertificateFile struct {
	ID     string `json:"id"`     // of the certificate, or of its key pair
	Format string `json:"format"` // one of CertificateFormats
}

// CertificateFormats are those of ExportCertificate: PEM, DER, PKCS #7, and the file as the
// partner sent it.
var CertificateFormats = []string{"pem", "der", "p7b", "received"}

// ExportCertificate returns a certificate as a file.
var ExportCertificate = reading("ExportCertificate",
	func(ctx context.Context, v *registry.Viewer, in CertificateFile) (file []byte, err error) {
		if !slices.Contains(CertificateFormats, in.Format) {
			return nil, registry.Refuse("format %q is not known; there are %s", in.Format,
				registry.Listed(CertificateFormats))
		}
		c, err := certificateOf(ctx, v, in.ID)
		if err != nil {
			return nil, err
		}
		chain, err := c.Parse()
		if err != nil {
			return nil, err
		}
		switch in.Format {
		case "pem":
			return cert.EncodePEM(chain[0]), nil
		case "der":
			return chain[0].Raw, nil
		case "p7b":
			return keyfile.EncodePKCS7(chain[0])
		}
		if len(c.Provenance.File) == 0 {
			return nil, registry.Refuse("certificate %s is ours: it was not received", c.ID)
		}
		return c.Provenance.File, nil
	})

// certificateOf returns a certificate by its identity, or by that of its key pair.
func certificateOf(ctx context.Context, v *registry.Viewer, id string) (c registry.Certificate, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		name := id
		if exchange.IsKeyPair(id) {
			k, err := tx.KeyPair(id)
			if err != nil {
				return err
			}
			name = k.Certificate
		}
		if c, err = tx.Certificate(name); err != nil {
			return err
		}
		return nil
	})
	return c, err
}

// IsKeyPair reports whether an identity is that of one of our key pairs.
func IsKeyPair(id string) bool { return exchange.IsKeyPair(id) }
