package rdx

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/sealane/sealane/internal/sandbox"
)

const (
	otpTries        = 3
	otpSends        = 6
	pendingAnswers  = 2
	defaultLifetime = 10 * time.Minute
)

// challenge is the state of one transaction's step-ups at the Issuer.
type challenge struct {
	card            TestCard
	stepupRequestID string
	counter         int
	credentials     []Credential
	chosen          Credential // by the last initiateaction, or zero
	otp             string     // empty if none is valid
	tries, sends    int        // tries of this stepup, sends of all
	pending         int
	ended           string // the final Status, if there is one
	expires         time.Time
}

// current returns the challenge that the message belongs to, or the answer that says why
// there is none.
func (s *Issuer) current(q rdxRequest, a issuerAnswer, now time.Time) (*challenge, issuerAnswer) {
	c, ok := s.challenges.Get(q.key)
	switch {
	case !ok:
		return nil, a.fault("no stepup with this TransactionId is known", "start with stepup")
	case !now.Before(c.expires):
		return nil, a.end(StatusFailure, "EXPIRED", "the challenge has expired")
	case c.ended != "":
		return nil, a.fault("the challenge has ended with "+c.ended, "start another transaction")
	case q.stepupRequestID != c.stepupRequestID || q.counter != c.counter:
		return nil, a.fault("StepupRequestId and StepupCounter are not those of the last stepup",
			"repeat them from the last stepup")
	}
	return c, a
}

func (s *Issuer) stepup(q rdxRequest, a issuerAnswer, now time.Time) issuerAnswer {
	c, ok := s.challenges.Get(q.key)
	switch {
	case !ok || !now.Before(c.expires):
		c = &challenge{card: testCard(q.cardNumber)}
	case c.ended != "":
		return a.fault("the challenge has ended with "+c.ended, "start another transaction")
	case q.counter == c.counter && q.stepupRequestID == c.stepupRequestID:
		// A repeated message, for example after a timeout, gets the same answer and no
		// further tries.
		a.Status, a.StepupType, a.Credentials = StatusSuccess, c.card.StepupType, c.credentials
		return a
	case q.counter <= c.counter:
		return a.fault(fmt.Sprintf("StepupCounter is %d, the last stepup had %d", q.counter, c.counter),
			"raise it by one to resend")
	}
	if c.card.Risk != StatusStepup {
		return a.end(StatusFailure, "TEST", "this card is not stepped up")
	}
	c.stepupRequestID, c.counter = q.stepupRequestID, q.counter
	c.chosen, c.otp, c.tries, c.pending = Credential{}, "", 0, 0
	c.credentials = nil
	for _, kind := range c.card.Offers {
		offer := Credential{ID: uuid.NewString(), Type: kind, Text: credentialTexts[kind]}
		c.credentials = append(c.credentials, offer)
	}
	s.keep(q.key, c, now)
	a.Status, a.StepupType, a.Credentials = StatusSuccess, c.card.StepupType, c.credentials
	return a
}

var credentialTexts = map[string]string{
	OTPSMS: "*** *** 7890", OTPEMAIL: "j***@example.com", OutOfBandOther: "Example Bank app",
}

func (s *Issuer) keep(k challengeKey, c *challenge, now time.Time) {
	life := s.Lifetime
	if life <= 0 {
		life = defaultLifetime
	}
	c.expires = now.Add(life)
	s.challenges.Put(k, c, 0, cmp.Or(s.MaxChallenges, sandbox.DefaultEntries), sandbox.DefaultBytes)
}

// initiate returns the passcode to deliver, or "" if there is none. A repeated call
// replaces the passcode and keeps the tries.
func (s *Issuer) initiate(q rdxRequest, a issuerAnswer, now time.Time) (issuerAnswer, string) {
	c, refused := s.current(q, a, now)
	if c == nil {
		return refused, ""
	}
	i := slices.IndexFunc(c.credentials, func(o Credential) bool { return o.ID == q.credentialID })
	if i < 0 {
		return a.fault("Credentials[0].Id is none of the last stepup's", "send one of its Credentials"), ""
	}
	if c.sends == otpSends {
		c.ended, c.otp = StatusBlocked, ""
		return a.end(StatusBlocked, "RESENDS", fmt.Sprintf("%d passcodes were sent", otpSends)), ""
	}
	c.chosen, c.otp = c.credentials[i], ""
	if otpCredential(c.chosen.Type) {
		c.otp = cmp.Or(s.OTP, newOTP())
	}
	c.sends++
	s.keep(q.key, c, now)
	a.Status, a.Credentials = StatusSuccess, []Credential{c.chosen}
	return a, c.otp
}

func newOTP() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("sandbox: crypto/rand failed: " + err.Error()) // its Reader never returns an error
	}
	return fmt.Sprintf("%06d", n)
}

func (s *Issuer) validate(q rdxRequest, a issuerAnswer, now time.Time) issuerAnswer {
	c, refused := s.current(q, a, now)
	if c == nil {
		return refused
	}
	if c.chosen.ID == "" || q.credentialID != c.chosen.ID {
		return a.fault("CredentialResponse[0].Id is not the credential of the last initiateaction",
			"send initiateaction with it first")
	}
	a.CredentialID = c.chosen.ID
	if silentCredential(c.chosen.Type) {
		if c.pending < pendingAnswers {
			c.pending++
			a.Status = StatusPending
			return a
		}
		c.ended, a.Status = StatusSuccess, StatusSuccess
		return a
	}
	if subtle.ConstantTimeCompare([]byte(q.value), []byte(c.otp)) == 1 {
		c.ended, c.otp, a.Status = StatusSuccess, "", StatusSuccess
		return a
	}
	if c.tries++; c.tries == otpTries {
		c.ended, c.otp = StatusFailure, ""
		return a.end(StatusFailure, "TRIES", fmt.Sprintf("%d wrong passcodes", otpTries))
	}
	left := fmt.Sprintf("wrong passcode, %d of %d tries are left", otpTries-c.tries, otpTries)
	return a.end(StatusRetry, "WRONG", left)
}
