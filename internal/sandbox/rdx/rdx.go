// Package rdx is a stand-in of both ends of VCAS RDX: VCAS, which sends messages about a
// cardholder's challenge, and an issuer that answers them.
package rdx

import "slices"

// The RDX calls, as the last part of an issuer's URL.
const (
	CallRisk           = "risk"
	CallStepup         = "stepup"
	CallInitiateAction = "initiateaction"
	CallValidate       = "validate"
)

// Values of Status. allowedStatus lists those that each call may answer.
const (
	StatusSuccess          = "SUCCESS"
	StatusAuthenticated    = "AUTHENTICATED"
	StatusStepup           = "STEPUP"
	StatusRetry            = "RETRY"
	StatusPending          = "PENDING"
	StatusFailure          = "FAILURE"
	StatusFailWithFeedback = "FAILWITHFEEDBACK"
	StatusError            = "ERROR"
	StatusBlocked          = "BLOCKED"
	StatusRejected         = "REJECTED"
)

var (
	endings       = []string{StatusFailure, StatusFailWithFeedback, StatusError, StatusBlocked, StatusRejected}
	allowedStatus = map[string][]string{
		CallRisk:           slices.Concat([]string{StatusSuccess, StatusStepup}, endings),
		CallStepup:         slices.Concat([]string{StatusSuccess, StatusAuthenticated}, endings),
		CallInitiateAction: slices.Concat([]string{StatusSuccess, StatusAuthenticated, StatusStepup}, endings),
		CallValidate:       slices.Concat([]string{StatusSuccess, StatusRetry, StatusStepup, StatusPending}, endings),
	}
)

// Credential is one way in which a cardholder can be challenged.
type Credential struct {
	ID    string `json:"Id"`
	Type  string `json:"Type"`
	Text  string `json:"Text,omitempty"`
	Token string `json:"Token,omitempty"`
}

// Types of credentials that the stand-ins use. There are others, and there will be more.
const (
	OTPSMS         = "OTPSMS"
	OTPEMAIL       = "OTPEMAIL"
	OutOfBandOther = "OUTOFBANDOTHER"
	Biometric      = "BIOMETRIC"
)

// Reason is the optional explanation of a Status.
type Reason struct {
	ReasonCode        string `json:"ReasonCode,omitempty"`
	ReasonDescription string `json:"ReasonDescription,omitempty"`
}

// ErrorDetail is the optional explanation of an error, the member Error of an answer.
type ErrorDetail struct {
	ReferenceNumber   string `json:"ReferenceNumber,omitempty"`
	ReasonDescription string `json:"ReasonDescription,omitempty"`
	Description       string `json:"Description,omitempty"`
	Message           string `json:"Message,omitempty"`
}

// TestCard is a card number whose last digits decide what the example issuer answers.
type TestCard struct {
	Number     string
	Risk       string   // Status of risk
	StepupType string   // of stepup, if it is called
	Offers     []string // the types of the credentials of stepup
	Note       string
}

// TestCards are matched by their last four digits. A card that is absent, masked or not listed is
// stepped up like 1091.
//
//	4000000000001000  risk SUCCESS
//	4000000000001018  risk FAILURE
//	4000000000001091  risk STEPUP, a choice of OTPSMS and OTPEMAIL
//	4000000000001109  risk STEPUP, OTPSMS only
//	4000000000001117  risk STEPUP, out of band: validate is PENDING twice, then SUCCESS
//	4000000000001125  risk BLOCKED
var TestCards = []TestCard{
	{Number: "4000000000001000", Risk: StatusSuccess, Note: "authenticated without a challenge"},
	{Number: "4000000000001018", Risk: StatusFailure, Note: "refused without a challenge"},
	{
		Number: "4000000000001091", Risk: StatusStepup, StepupType: "CHOICE", Offers: []string{OTPSMS, OTPEMAIL},
		Note: "a choice of two one-time passcodes",
	},
	{
		Number: "4000000000001109", Risk: StatusStepup, StepupType: "OTP", Offers: []string{OTPSMS},
		Note: "one passcode, no choice",
	},
	{
		Number: "4000000000001117", Risk: StatusStepup, StepupType: "OUTOFBAND", Offers: []string{OutOfBandOther},
		Note: "approved in an app: PENDING twice, then SUCCESS",
	},
	{Number: "4000000000001125", Risk: StatusBlocked, Note: "the card is blocked"},
}

const otherCard = "4000000000001091"

func testCard(number string) TestCard {
	var fallback TestCard
	for _, c := range TestCards {
		if len(number) >= 4 && number[len(number)-4:] == c.Number[len(c.Number)-4:] {
			return c
		}
		if c.Number == otherCard {
			fallback = c
		}
	}
	return fallback
}

func otpCredential(kind string) bool { return kind == OTPSMS || kind == OTPEMAIL || kind == "OTPIVR" }

// silentCredential reports whether validate waits for the cardholder's action elsewhere,
// instead of reading what they typed. Only these may answer PENDING.
func silentCredential(kind string) bool {
	return kind == OutOfBandOther || kind == "OUTOFBANDTOKEN" || kind == Biometric
}
