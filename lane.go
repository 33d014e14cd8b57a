package sealane

import (
	"cmp"
	"crypto/fips140"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Side is our end of the wire. A gateway calls the client's side egress, and the server's
// ingress.
type Side string

// The sides.
const (
	ClientSide Side = "client" // egress: we send requests and open responses
	ServerSide Side = "server" // ingress: we open requests and send responses
)

// UnmarshalText accepts "client" or "egress", and "server" or "ingress".
func (s *Side) UnmarshalText(text []byte) error {
	switch string(text) {
	case "client", "egress":
		*s = ClientSide
	case "server", "ingress":
		*s = ServerSide
	default:
		return fmt.Errorf("side is %.20q, want client (egress) or server (ingress)", text)
	}
	return nil
}

// Sealing says whether a lane accepts unencrypted messages. The zero value means
// SealingRequired.
type Sealing string

// The values of Sealing.
const (
	// SealingRequired refuses unencrypted messages.
	SealingRequired Sealing = "required"
	// SealingOptional accepts unencrypted messages if the profile's trigger is off.
	SealingOptional Sealing = "optional"
)

// SenderAuth says how the sender of an unsigned message is authenticated. The message
// itself proves nothing about its sender.
type SenderAuth string

// The ways to authenticate the sender of an unsigned message.
const (
	// SenderMutualTLS means by the client certificate of the connection.
	SenderMutualTLS SenderAuth = "mutual-tls"
	// SenderOAuth2 means by an access token.
	SenderOAuth2 SenderAuth = "oauth2"
	// SenderTLS means by the server's certificate. It is for clients, whose partner is the
	// server that they called.
	SenderTLS SenderAuth = "tls"
	// SenderUnauthenticated means not at all. Anyone who has our certificate can be the
	// sender.
	SenderUnauthenticated SenderAuth = "unauthenticated"
)

// Expired says what becomes of messages after a certificate of the lane has ended. Whatever it is,
// messages are opened and verified as before.
type Expired string

// The values of Expired.
const (
	// ExpiredGrace goes on for 14 days, and then seals nothing any more with the key, or to it. It
	// is the zero value.
	ExpiredGrace Expired = ""
	// ExpiredWarn goes on.
	ExpiredWarn Expired = "warn"
	// ExpiredRefuse seals nothing with the key, or to it, from the end on.
	ExpiredRefuse Expired = "refuse"
)

// DefaultMaxPayload is the default of Config.MaxPayload: 32 MiB.
const DefaultMaxPayload = 32 << 20

// Config describes a lane.
type Config struct {
	// Profile is a *profile.Profile, or a *profile.Compiled that several lanes share. It is
	// required. Later changes to it do not affect the lane.
	Profile profile.Compilable
	// Side is required.
	Side Side
	// Partner names the partner in messages. The default is the profile's name for
	// the other side.
	Partner string
	// Environment is one of the profile's. The default is the first.
	Environment string

	// Ours are our keys, or nil if there are none yet.
	Ours *keyring.Ring
	// Theirs are the partner's keys, or nil if none were exchanged yet.
	Theirs *keyring.Ring

	// Sealing says whether unencrypted messages are accepted. The default is
	// SealingRequired.
	Sealing Sealing
	// PlainEndpoints lists requests that may be unencrypted although sealing is required,
	// as "METHOD /path/{variable}". New refuses one that the profile seals.
	PlainEndpoints []string

	// AcceptRSAOAEP, if not empty, is the reason why this lane opens RSA-OAEP (SHA-1) in
	// addition to the profile's algorithms. Only some profiles allow it.
	AcceptRSAOAEP string
	// SenderAuth is required if we open messages that are not signed.
	SenderAuth SenderAuth

	// Expired says what becomes of messages after a certificate has ended.
	Expired Expired
	// Now returns the time for Expired. The default is time.Now.
	Now func() time.Time `json:"-" yaml:"-" xml:"-"`

	// NoResend, if not empty, is the reason why a client does not send a message again, sealed
	// with other keys, that the partner could not decrypt or verify. See package sealhttp.
	NoResend string

	// MaxPayload limits a payload, in bytes: at most 1 GiB. The default is
	// DefaultMaxPayload.
	MaxPayload int
}

// Lane seals and opens the messages between us and one partner in one environment.
// It never changes, and is safe for concurrent use.
type Lane struct {
	c       Config // Profile is nil, PlainEndpoints is our own
	profile *profile.Compiled
	in, out profile.Direction
	accept  algorithms // to open

	signers    []signingKey
	recipients []recipientKey
}

// algorithms lists what a lane opens.
type algorithms struct {
	keys       []*alg.KeyEncryption
	contents   []*alg.Content
	signatures []*alg.Signature
}

// New checks a configuration and returns the lane. Missing keys are not an error: until
// they are set, Seal, Open and [Lane.Ready] return [ErrNotSupported].
func New(c Config) (*Lane, error) {
	if c.Profile == nil {
		return nil, errors.New("lane: Profile must be given")
	}
	compiled, err := c.Profile.Compile()
	if err != nil {
		return nil, fmt.Errorf("lane: %w", err)
	}
	c.Profile, c.PlainEndpoints = nil, slices.Clone(c.PlainEndpoints)
	l := &Lane{c: c, profile: compiled}
	parties := compiled.Parties()
	switch c.Side {
	case ClientSide:
		l.out, l.in = compiled.Request().Direction(), compiled.Response().Direction()
		l.c.Partner = cmp.Or(c.Partner, parties.Server)
	case ServerSide:
		l.out, l.in = compiled.Response().Direction(), compiled.Request().Direction()
		l.c.Partner = cmp.Or(c.Partner, parties.Client)
	default:
		return nil, errors.New("lane: Side must be ClientSide or ServerSide")
	}
	l.c.Environment = cmp.Or(c.Environment, compiled.Environments()[0])
	l.c.Sealing = cmp.Or(c.Sealing, SealingRequired)
	l.c.MaxPayload = cmp.Or(c.MaxPayload, DefaultMaxPayload)
	if c.Now == nil {
		l.c.Now = time.Now
	}
	if err := errors.Join(l.check(), l.protect()); err != nil {
		return nil, fmt.Errorf("lane %s: %w", l.Name(), err)
	}
	return l, nil
}

// check reports settings that contradict each other.
func (l *Lane) check() error {
	_, _, hasTrigger := l.profile.Trigger()
	environments := l.profile.Environments()
	switch {
	case !slices.Contains(environments, l.c.Environment):
		return fmt.Errorf("environment %q is not one of the profile's: %s",
			l.c.Environment, strings.Join(environments, ", "))
	case l.c.Sealing != SealingRequired && l.c.Sealing != SealingOptional:
		return fmt.Errorf("sealing is %.20q, want %s or %s", l.c.Sealing, SealingRequired, SealingOptional)
	case l.c.Sealing == SealingOptional && !hasTrigger:
		return errors.New("sealing cannot be optional: the profile has no header that marks sealed messages")
	case l.c.Expired != ExpiredGrace && l.c.Expired != ExpiredWarn && l.c.Expired != ExpiredRefuse:
		return fmt.Errorf("expired is %.20q, want %s or %s", l.c.Expired, ExpiredWarn, ExpiredRefuse)
	case l.c.MaxPayload < 0 || l.c.MaxPayload > 1<<30:
		return fmt.Errorf("MaxPayload %d is negative or more than 1 GiB", l.c.MaxPayload)
	}
	if err := l.checkPlainEndpoints(); err != nil {
		return err
	}
	if err := l.checkSenderAuth(); err != nil {
		return err
	}
	for _, ours := range l.c.Ours.Keys() {
		for _, theirs := range l.c.Theirs.Keys() {
			if ours.Public.Equal(theirs.Public) {
				return fmt.Errorf("key ID %q of ours and %q of the partner are the same key: "+
					"our own messages would be accepted as the partner's", ours.ID, theirs.ID)
			}
		}
	}
	return l.checkOpening()
}

// checkSenderAuth requires a SenderAuth if we open messages that are not signed.
func (l *Lane) checkSenderAuth() error {
	if !l.in.Sealed() || l.in.Sign != nil {
		return nil
	}
	ways := []SenderAuth{SenderMutualTLS, SenderOAuth2, SenderUnauthenticated}
	if l.c.Side == ClientSide {
		ways = append(ways, SenderTLS)
	}
	if !slices.Contains(ways, l.c.SenderAuth) {
		return fmt.Errorf("messages carry no signature: say how the sender is known, one of %q, not %q",
			ways, l.c.SenderAuth)
	}
	return nil
}

// checkOpening looks up the algorithms that the lane opens: those of the profile, and
// RSA-OAEP if AcceptRSAOAEP adds it.
func (l *Lane) checkOpening() (err error) {
	if !l.in.Sealed() {
		if l.c.AcceptRSAOAEP != "" {
			return errors.New("AcceptRSAOAEP: nothing is opened on this side")
		}
		return nil
	}
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
			return fmt.Errorf("AcceptRSAOAEP: the profile does not let a lane add %s", alg.RSAOAEP)
		}
		l.accept.keys = append(l.accept.keys, alg.RSAOAEP)
	}
	for _, k := range l.accept.keys {
		if !k.Approved && fips140.Enforced() {
			return fmt.Errorf("%s uses %s, which FIPS 140-3 enforcement (GODEBUG=fips140=only) forbids: "+
				"remove AcceptRSAOAEP", k, k.Hash)
		}
	}
	return nil
}

// checkPlainEndpoints refuses PlainEndpoints for requests that the profile seals: use
// SealingOptional for them.
func (l *Lane) checkPlainEndpoints() error {
	for _, e := range l.c.PlainEndpoints {
		method, path, ok := strings.Cut(e, " ")
		if !ok || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("PlainEndpoints %q is not of the form \"METHOD /path/{variable}\"", e)
		}
		if l.profile.Seals(method, path) {
			return fmt.Errorf(
				"PlainEndpoints %q: the profile seals it; to let it pass plain, make Sealing optional",
				e,
			)
		}
	}
	return nil
}

func (l *Lane) mayAdd(k *alg.KeyEncryption) bool {
	return l.in.Encrypt != nil && slices.Contains(l.in.Encrypt.Alg.LaneMayAdd, k.Name)
}

// Name returns "profile/partner/environment".
func (l *Lane) Name() string {
	return l.profile.Name() + "/" + l.c.Partner + "/" + l.c.Environment
}

// Profile returns the profile of the lane.
func (l *Lane) Profile() *profile.Compiled { return l.profile }

// Partner returns the partner's name.
func (l *Lane) Partner() string { return l.c.Partner }

// Environment returns the environment's name.
func (l *Lane) Environment() string { return l.c.Environment }

// Side returns our side.
func (l *Lane) Side() Side { return l.c.Side }

// Sealing returns whether the lane accepts unencrypted messages.
func (l *Lane) Sealing() Sealing { return l.c.Sealing }

// NoResend returns the lane's NoResend.
func (l *Lane) NoResend() string { return l.c.NoResend }

// MaxPayload returns the limit of a payload, in bytes.
func (l *Lane) MaxPayload() int { return l.c.MaxPayload }

// Ours describes our keys.
func (l *Lane) Ours() []keyring.KeyInfo { return l.c.Ours.Infos() }

// Theirs describes the partner's keys.
func (l *Lane) Theirs() []keyring.KeyInfo { return l.c.Theirs.Infos() }

// IsPlainEndpoint reports whether PlainEndpoints lists a request.
func (l *Lane) IsPlainEndpoint(method string, u *url.URL) bool {
	return slices.ContainsFunc(l.c.PlainEndpoints, func(p string) bool { return profile.MatchEndpoint(p, method, u) })
}

// Outbound returns the direction in which we seal.
func (l *Lane) Outbound() profile.CompiledDirection {
	if l.c.Side == ClientSide {
		return l.profile.Request()
	}
	return l.profile.Response()
}

// Inbound returns the direction in which we open.
func (l *Lane) Inbound() profile.CompiledDirection {
	if l.c.Side == ClientSide {
		return l.profile.Response()
	}
	return l.profile.Request()
}

// Ready returns ErrNotSupported if a key is missing that is needed to seal, open or answer
// a request.
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

// MaxToken returns the maximum size of a token, in bytes, that Open reads: the size of a
// sealed payload of MaxPayload bytes, and 16 KiB for each header.
func (l *Lane) MaxToken() int {
	const headers = 16 << 10
	text := func(n int) int { return n/3*4 + 4 }
	size := l.c.MaxPayload
	if l.out.Sign != nil || l.in.Sign != nil {
		size = text(size) + headers
	}
	return text(size) + headers
}
