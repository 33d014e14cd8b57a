// Package sealane seals and opens messages between partners' APIs: JSON that is
// signed by one side and encrypted to the other, as the dialect (profile) of a
// lane says.
//
// A Lane is what we and one partner agreed on in one environment. Seal and Open
// are its two verbs; sealhttp puts them on the wire.
package sealane

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Side is the end of the wire on which we are.
type Side string

// The sides.
const (
	ClientSide Side = "client" // we send requests and open responses
	ServerSide Side = "server" // we open requests and send responses
)

// UnmarshalText refuses what is neither "client" nor "server".
func (s *Side) UnmarshalText(text []byte) error {
	switch side := Side(text); side {
	case ClientSide, ServerSide:
		*s = side
		return nil
	}
	return fmt.Errorf("side is %.20q, want %s or %s", text, ClientSide, ServerSide)
}

// Sealing says whether a lane takes messages that are not sealed. The zero value
// stands for SealingRequired.
type Sealing string

// The values of Sealing.
const (
	// SealingRequired refuses plain messages.
	SealingRequired Sealing = "required"
	// SealingOptional lets plain messages pass where the profile's trigger is off.
	SealingOptional Sealing = "optional"
)

// SenderAuth says how the sender of a message that carries no signature is known.
// Such a message proves nothing about its sender.
type SenderAuth string

// The ways in which a sender can be known without a signature.
const (
	// SenderMutualTLS: by the client certificate of the connection.
	SenderMutualTLS SenderAuth = "mutual-tls"
	// SenderOAuth2: by an access token.
	SenderOAuth2 SenderAuth = "oauth2"
	// SenderTLS: by the server's certificate. It is for clients, whose partner
	// is the server that they called.
	SenderTLS SenderAuth = "tls"
	// SenderUnauthenticated: not at all. Anybody who has our certificate can be the sender.
	SenderUnauthenticated SenderAuth = "unauthenticated"
)

// DefaultMaxPayload is a lane's limit where none is given: 32 MiB.
const DefaultMaxPayload = 32 << 20

// Config describes a lane.
type Config struct {
	Partner     string           // for messages; default the profile's name for the other side
	Environment string           // one of the profile's; default the first
	Profile     *profile.Profile // must be given, and not be changed afterwards
	Side        Side             // must be given

	Ours   *keyring.Ring // our keys; nil where none were made yet
	Theirs *keyring.Ring // the partner's; nil where none were exchanged yet

	Sealing Sealing
	// PlainEndpoints lists what may pass in clear although sealing is required,
	// as "METHOD /path/{variable}". New refuses one that the dialect seals.
	PlainEndpoints []string

	// AcceptRSAOAEP, where not empty, is the reason for which this lane opens
	// RSA-OAEP (SHA-1) besides what the profile says. Only some profiles allow it.
	AcceptRSAOAEP string
	// SenderAuth must be given where we open messages that are not signed.
	SenderAuth SenderAuth

	MaxPayload int // bytes, at most 1 GiB; default DefaultMaxPayload
}

// Lane seals and opens. It never changes and is safe for concurrent use.
type Lane struct {
	c       Config
	in, out profile.Direction
	accept  algorithms // on in

	signHead    jose.SignedHeader
	encryptHead jose.EncryptedHeader
}

// algorithms lists what a lane opens.
type algorithms struct {
	keys       []*alg.KeyEncryption
	contents   []*alg.Content
	signatures []*alg.Signature
}

// New checks a configuration and makes the lane. Missing keys are no error
// here: Seal and Open give ErrNotSupported until they are there.
func New(c Config) (*Lane, error) {
	if c.Profile == nil {
		return nil, errors.New("lane: Profile must be given")
	}
	if err := c.Profile.Validate(); err != nil {
		return nil, fmt.Errorf("lane: %w", err)
	}
	l := &Lane{c: c}
	switch c.Side {
	case ClientSide:
		l.out, l.in = c.Profile.Request.Clone(), c.Profile.Response.Clone()
	case ServerSide:
		l.out, l.in = c.Profile.Response.Clone(), c.Profile.Request.Clone()
	default:
		return nil, errors.New("lane: Side must be ClientSide or ServerSide")
	}
	if l.c.Environment == "" {
		l.c.Environment = c.Profile.Environments[0]
	}
	if l.c.Partner == "" {
		l.c.Partner = c.Profile.Parties.Client
		if c.Side == ClientSide {
			l.c.Partner = c.Profile.Parties.Server
		}
	}
	if l.c.MaxPayload == 0 {
		l.c.MaxPayload = DefaultMaxPayload
	}
	if err := errors.Join(l.check(), l.protect()); err != nil {
		return nil, fmt.Errorf("lane %s: %w", l.Name(), err)
	}
	return l, nil
}

func (l *Lane) check() error {
	if !slices.Contains(l.c.Profile.Environments, l.c.Environment) {
		return fmt.Errorf("environment %q is not one of the profile's: %s", l.c.Environment, strings.Join(l.c.Profile.Environments, ", "))
	}
	if l.c.Sealing == "" {
		l.c.Sealing = SealingRequired
	}
	if l.c.Sealing != SealingRequired && l.c.Sealing != SealingOptional {
		return fmt.Errorf("sealing is %.20q, want %s or %s", l.c.Sealing, SealingRequired, SealingOptional)
	}
	if l.c.Sealing == SealingOptional && l.c.Profile.Trigger == nil {
		return errors.New("sealing cannot be optional: the profile has no header that tells sealed from plain")
	}
	if l.c.MaxPayload < 0 || l.c.MaxPayload > 1<<30 {
		return fmt.Errorf("MaxPayload %d is negative or more than 1 GiB", l.c.MaxPayload)
	}
	if err := l.checkPlainEndpoints(); err != nil {
		return err
	}
	if l.in.Sealed() && l.in.Sign == nil {
		ways := []SenderAuth{SenderMutualTLS, SenderOAuth2, SenderUnauthenticated}
		if l.c.Side == ClientSide {
			ways = append(ways, SenderTLS)
		}
		if !slices.Contains(ways, l.c.SenderAuth) {
			return fmt.Errorf("messages carry no signature: say how the sender is known, one of %q, not %q",
				ways, l.c.SenderAuth)
		}
	}
	for _, ours := range l.c.Ours.Keys() {
		for _, theirs := range l.c.Theirs.Keys() {
			if ours.Public.Equal(theirs.Public) {
				return fmt.Errorf("key ID %q of ours and %q of the partner are the same key: our own messages would pass for the partner's", ours.ID, theirs.ID)
			}
		}
	}
	if !l.in.Sealed() {
		if l.c.AcceptRSAOAEP != "" {
			return errors.New("AcceptRSAOAEP: nothing is opened on this side")
		}
		return nil
	}
	return l.acceptAlgorithms()
}

// acceptAlgorithms looks up what the profile and AcceptRSAOAEP name.
func (l *Lane) acceptAlgorithms() (err error) {
	if l.accept.keys, err = alg.KeyEncryptions.Select(l.in.Encrypt.Alg.Open); err != nil {
		return err
	}
	if l.accept.contents, err = alg.Contents.Select(l.in.Encrypt.Enc.Open); err != nil {
		return err
	}
	if l.in.Sign != nil {
		if l.accept.signatures, err = alg.Signatures.Select(l.in.Sign.Alg.Open); err != nil {
			return err
		}
	}
	if l.c.AcceptRSAOAEP != "" {
		if !l.mayAdd(alg.RSAOAEP) {
			return errors.New("AcceptRSAOAEP: the profile does not let a lane add RSA-OAEP")
		}
		l.accept.keys = append(l.accept.keys, alg.RSAOAEP)
	}
	for _, k := range l.accept.keys {
		if !k.Approved && fips140.Enforced() {
			return fmt.Errorf("%s uses %s, which FIPS 140-3 enforcement (GODEBUG=fips140=only) forbids: take AcceptRSAOAEP away", k, k.Hash)
		}
	}
	return nil
}

// checkPlainEndpoints keeps the list from switching sealing off for what the
// dialect seals; SealingOptional is there for that, in so many words.
func (l *Lane) checkPlainEndpoints() error {
	for _, e := range l.c.PlainEndpoints {
		method, path, ok := strings.Cut(e, " ")
		if !ok || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("PlainEndpoints %q is not of the form \"METHOD /path/{variable}\"", e)
		}
		if l.c.Profile.Seals(method, path) {
			return fmt.Errorf("PlainEndpoints %q: the profile seals it; to let it pass in clear, let Sealing be optional", e)
		}
	}
	return nil
}

func (l *Lane) mayAdd(k *alg.KeyEncryption) bool {
	return l.in.Encrypt != nil && slices.Contains(l.in.Encrypt.Alg.LaneMayAdd, k.Name)
}

// Config gives the configuration, with the defaults filled in.
func (l *Lane) Config() Config { return l.c }

// Name is "profile/partner/environment".
func (l *Lane) Name() string {
	return l.c.Profile.Name + "/" + l.c.Partner + "/" + l.c.Environment
}

// Out is the leg on which we seal, In the one on which we open.
func (l *Lane) Out() profile.Direction { return l.out }

// In is the leg on which we open.
func (l *Lane) In() profile.Direction { return l.in }

// Ready gives ErrNotSupported where a key is missing without which a request
// can't be sealed, opened and answered.
func (l *Lane) Ready() error {
	if l.out.Sealed() {
		if _, _, err := l.sealingKeys(); err != nil {
			return err
		}
	}
	if l.in.Sealed() {
		return l.openingKeys()
	}
	return nil
}

// MaxToken is the size of the longest token that Open reads: what Seal makes of
// a payload of MaxPayload bytes, and room for headers.
func (l *Lane) MaxToken() int {
	const headers = 16 << 10
	text := func(n int) int { return n/3*4 + 4 }
	size := l.c.MaxPayload
	if l.out.Sign != nil || l.in.Sign != nil {
		size = text(size) + headers
	}
	return text(size) + headers
}
