package rdx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/sealane/sealane/internal/sandbox"
)

// challengeKey identifies a challenge: a TransactionId is unique only to its sender.
type challengeKey struct{ processor, issuer, transaction string }

// rdxRequest is a message to the Issuer, and what check found in it.
type rdxRequest struct {
	call    string
	members sandbox.Members

	key             challengeKey
	stepupRequestID string
	counter         int
	cardNumber      string
	credentialID    string // of the credential that initiateaction or validate is about
	value           string // what the cardholder typed
}

const maxStepupCounter = 1_000_000

// check reads the required members of the call. The members that it read before an error
// are kept for the answer.
func (q *rdxRequest) check() error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	q.key.processor = q.required("ProcessorId", 24, note)
	q.key.issuer = q.required("IssuerId", 24, note)
	q.key.transaction = q.required("TransactionId", 36, note)
	if _, err := uuid.Parse(q.key.transaction); err != nil {
		note(fmt.Errorf("TransactionId is not a GUID"))
	}
	q.required("MessageVersion", 8, note)
	if payment, err := q.members.Object("PaymentInfo"); err == nil {
		q.cardNumber, _ = payment.Text("CardNumber")
	}
	if q.call == CallRisk {
		for _, name := range []string{"MerchantInfo", "TransactionInfo"} {
			o, err := q.members.Object(name)
			if err == nil && o == nil {
				err = fmt.Errorf("%s is missing", name)
			}
			note(err)
		}
		return first
	}
	q.stepupRequestID = q.required("StepupRequestId", 36, note)
	note(q.readCounter())
	switch q.call {
	case CallInitiateAction:
		_, err := q.only("Credentials")
		note(err)
	case CallValidate:
		o, err := q.only("CredentialResponse")
		note(err)
		q.value = o.Scalar("Value")
	}
	return first
}

func (q *rdxRequest) required(name string, limit int, note func(error)) string {
	s, ok := q.members.Text(name)
	switch {
	case !q.members.Has(name):
		note(fmt.Errorf("%s is missing", name))
	case !ok || strings.TrimSpace(s) == "":
		note(fmt.Errorf("%s is empty or not a string", name))
	case utf8.RuneCountInString(s) > limit:
		note(fmt.Errorf("%s has %d characters, at most %d are allowed", name, utf8.RuneCountInString(s), limit))
	default:
		return s
	}
	return ""
}

func (q *rdxRequest) readCounter() error {
	if !q.members.Has("StepupCounter") {
		return nil // it counts from 0, and the vendor's example has none
	}
	err := json.Unmarshal(bytes.Trim(q.members["StepupCounter"], `"`), &q.counter) // a number, or one in quotes
	if err != nil || q.counter < 0 || q.counter > maxStepupCounter {
		q.counter = 0
		return fmt.Errorf("StepupCounter is not an integer from 0 to %d", maxStepupCounter)
	}
	return nil
}

// only returns the one credential that the list must name. More than one is refused,
// because the specification does not say which one is meant.
func (q *rdxRequest) only(name string) (sandbox.Members, error) {
	list, err := q.members.Objects(name)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%s has %d entries, the one that the cardholder chose is required", name, len(list))
	}
	o := list[0]
	var ok bool
	if q.credentialID, ok = o.Text("Id"); !ok || q.credentialID == "" || len(q.credentialID) > 36 {
		return o, fmt.Errorf("%s[0].Id is missing, or not a string of 1 to 36 characters", name)
	}
	if kind, ok := o.Text("Type"); !ok || kind == "" {
		return o, fmt.Errorf("%s[0].Type is missing or not a string", name)
	}
	return o, nil
}
