package rdx

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sealane/sealane/internal/sandbox"
)

// Issuer is an example of an issuer's RDX service behind a gateway, in plain JSON. It
// answers POST …/v1/risk, …/v1/stepup, …/v1/initiateaction and …/v1/validate under any
// prefix. The zero value is ready to use; its decisions follow TestCards.
//
// Members that RDX requires are checked by name and shape; if they are wrong, the answer is
// 405 with an Error object. Other members are ignored, because the vendor adds fields and
// values. A well-formed message that does not fit the challenge (unknown, expired, already
// ended) is answered with 200 and a Status.
//
// A one-time passcode is valid for three tries; then the challenge has failed. A stepup
// with a higher StepupCounter starts over with new credentials. A challenge sends at most
// six passcodes; then it is BLOCKED.
type Issuer struct {
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	// OTP is the passcode of every challenge. The default is a random one of six digits for each.
	OTP string
	// OnOTP delivers a passcode, instead of SMS and mail. It may be called concurrently. If
	// it is nil, passcodes are dropped.
	OnOTP func(transactionID, otp string)
	// Lifetime is how long a challenge lives after its last stepup or initiateaction. The
	// default is 10 minutes.
	Lifetime time.Duration
	// MaxChallenges limits the number of challenges; the oldest is dropped first. The
	// default is 10,000.
	MaxChallenges int

	mu         sync.Mutex
	challenges sandbox.BoundedMap[challengeKey, *challenge]
}

// issuerAnswer is every answer of the Issuer: it repeats all ids that could be read, and
// Status always has a value.
type issuerAnswer struct {
	ProcessorID     string       `json:"ProcessorId"`
	IssuerID        string       `json:"IssuerId"`
	TransactionID   string       `json:"TransactionId"`
	StepupRequestID string       `json:"StepupRequestId,omitempty"`
	Status          string       `json:"Status"`
	StepupType      string       `json:"StepupType,omitempty"`
	Credentials     []Credential `json:"Credentials,omitempty"`
	CredentialID    string       `json:"CredentialId,omitempty"`
	Reason          *Reason      `json:"Reason,omitempty"`
	Error           *ErrorDetail `json:"Error,omitempty"`
}

func (a issuerAnswer) fault(description, message string) issuerAnswer {
	a.Status = StatusError
	a.Error = &ErrorDetail{
		ReferenceNumber: uuid.NewString(), ReasonDescription: "Invalid request",
		Description: description, Message: message,
	}
	return a
}

func (a issuerAnswer) end(status, code, description string) issuerAnswer {
	a.Status, a.Reason = status, &Reason{code, description}
	return a
}

// ServeHTTP answers the four calls.
func (s *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, description, message string) {
		sandbox.WriteJSON(w, status, issuerAnswer{}.fault(description, message))
	}
	call := callOf(r.URL.Path)
	if call == "" {
		refuse(http.StatusNotFound, "no such call",
			"POST to …/v1/risk, …/v1/stepup, …/v1/initiateaction or …/v1/validate")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, "method "+r.Method+" is not served", "use POST")
		return
	}
	body, err := sandbox.ReadBody(w, r, sandbox.BodyLimit)
	switch {
	case errors.Is(err, sandbox.ErrTooLarge):
		refuse(http.StatusRequestEntityTooLarge, "the message is over 1 MiB", "send less")
		return
	case err != nil:
		refuse(http.StatusMethodNotAllowed, "the message could not be read to its end", "send it again")
		return
	}
	m, err := sandbox.ParseMembers(body)
	if err != nil {
		refuse(http.StatusMethodNotAllowed, "the message "+err.Error(), "send one JSON object")
		return
	}
	q := rdxRequest{call: call, members: m}
	err = q.check()
	answer := issuerAnswer{
		ProcessorID: q.key.processor, IssuerID: q.key.issuer, TransactionID: q.key.transaction,
		StepupRequestID: q.stepupRequestID,
	}
	if err != nil {
		answer = answer.fault(err.Error(), "see the RDX specification of "+call)
		sandbox.WriteJSON(w, http.StatusMethodNotAllowed, answer)
		return
	}
	sandbox.WriteJSON(w, http.StatusOK, s.answer(q, answer))
}

// callOf returns the call that a path ends in, or "".
func callOf(path string) string {
	for call := range allowedStatus {
		if strings.HasSuffix(path, "/v1/"+call) {
			return call
		}
	}
	return ""
}

func (s *Issuer) answer(q rdxRequest, a issuerAnswer) issuerAnswer {
	if q.call == CallRisk {
		card := testCard(q.cardNumber)
		a.Status, a.Reason = card.Risk, &Reason{"TEST", card.Note}
		return a
	}
	now := sandbox.Clock(s.Now).Now()
	s.mu.Lock()
	var otp string
	switch q.call {
	case CallStepup:
		a = s.stepup(q, a, now)
	case CallInitiateAction:
		a, otp = s.initiate(q, a, now)
	case CallValidate:
		a = s.validate(q, a, now)
	}
	s.mu.Unlock()
	// Outside the lock: the receiver may return with the code at once.
	if otp != "" && s.OnOTP != nil {
		s.OnOTP(q.key.transaction, otp)
	}
	return a
}
