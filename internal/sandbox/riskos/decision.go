package riskos

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/sandbox"
)

// Decisions of an evaluation.
const (
	Accept = "ACCEPT"
	Review = "REVIEW"
	Reject = "REJECT"
)

// Steps that a paused evaluation waits for.
const (
	StepOTP      = "otp"      // PATCH the evaluation with {"data":{"otp":{"code":"123456"}}}
	StepDocument = "document" // upload front and selfie with its docvTransactionToken
)

// TestOTP is the code that completes an evaluation paused for a one-time passcode.
const TestOTP = "123456"

// TestIdentity is a name in data.individual that decides the answer, whatever the other
// data is. Letter case is ignored. An empty GivenName matches any.
type TestIdentity struct {
	GivenName, FamilyName string
	Status                int    // of the answer to POST
	Decision, Step        string // empty for an error
	Error                 string // the published code
	Note                  string
}

// TestIdentities are tried in order; the first match decides.
//
//	given_name  family_name  status  decision or error
//	any         Accept       200     ACCEPT
//	any         Reject       200     REJECT
//	Document    Review       201     REVIEW, paused for documents
//	any         Review       201     REVIEW, paused for a one-time passcode
//	Forbidden   Error        403     forbidden
//	Rate        Error        429     rate_limit, with X-Retry-After
//	Server      Error        500     server_error
var TestIdentities = []TestIdentity{
	{FamilyName: "Accept", Status: 200, Decision: Accept, Note: "accepted at once"},
	{FamilyName: "Reject", Status: 200, Decision: Reject, Note: "rejected at once"},
	{GivenName: "Document", FamilyName: "Review", Status: 201, Decision: Review, Step: StepDocument,
		Note: "paused; accepted once front and selfie are uploaded under its docvTransactionToken"},
	{FamilyName: "Review", Status: 201, Decision: Review, Step: StepOTP,
		Note: "paused; accepted by PATCH with data.otp.code 123456, any other code is otp_invalid"},
	{GivenName: "Forbidden", FamilyName: "Error", Status: 403, Error: "forbidden", Note: "the body is a guess"},
	{GivenName: "Rate", FamilyName: "Error", Status: 429, Error: "rate_limit", Note: "with X-Retry-After: 1"},
	{GivenName: "Server", FamilyName: "Error", Status: 500, Error: "server_error", Note: "nothing is stored"},
}

// DerivedRule decides on data that names no test identity.
type DerivedRule struct {
	When           string
	Decision, Step string
	holds          func(individual sandbox.Members, now time.Time) bool
}

// DerivedRules are tried in order after TestIdentities; the first that holds decides. They are a guess at plausible
// behavior, and depend on nothing but the data and the date.
//
//	data.individual is absent                                     REVIEW, documents
//	national_id is absent                                         REVIEW, documents
//	national_id is one digit repeated                             REJECT
//	date_of_birth is absent or not a date (YYYY-MM-DD)            REVIEW, documents
//	date_of_birth is less than 18 years ago                       REJECT
//	neither phone_number nor email                                REVIEW, documents
//	address.country is given and not US                           REVIEW, one-time passcode
//	anything else                                                 ACCEPT
var DerivedRules = []DerivedRule{
	{"data.individual is absent", Review, StepDocument, func(i sandbox.Members, _ time.Time) bool { return i == nil }},
	{"national_id is absent", Review, StepDocument, func(i sandbox.Members, _ time.Time) bool {
		return i.Scalar("national_id") == ""
	}},
	{"national_id is one digit repeated", Reject, "", func(i sandbox.Members, _ time.Time) bool {
		digits := strings.ReplaceAll(i.Scalar("national_id"), "-", "")
		return strings.Trim(digits, digits[:min(1, len(digits))]) == ""
	}},
	{"date_of_birth is absent or not a date (YYYY-MM-DD)", Review, StepDocument,
		func(i sandbox.Members, _ time.Time) bool {
			_, err := time.Parse(time.DateOnly, i.Scalar("date_of_birth"))
			return err != nil
		}},
	{"date_of_birth is less than 18 years ago", Reject, "", func(i sandbox.Members, now time.Time) bool {
		born, err := time.Parse(time.DateOnly, i.Scalar("date_of_birth"))
		return err == nil && born.AddDate(18, 0, 0).After(now)
	}},
	{"neither phone_number nor email", Review, StepDocument, func(i sandbox.Members, _ time.Time) bool {
		return i.Scalar("phone_number") == "" && i.Scalar("email") == ""
	}},
	{"address.country is given and not US", Review, StepOTP, func(i sandbox.Members, _ time.Time) bool {
		address, err := i.Object("address")
		country := strings.ToUpper(address.Scalar("country"))
		return err == nil && country != "" && !slices.Contains([]string{"US", "USA"}, country)
	}},
	{"anything else", Accept, "", func(sandbox.Members, time.Time) bool { return true }},
}

// verdict is the result of the tables for one evaluation.
type verdict struct{ decision, step, why string }

// decide returns the verdict on an individual (nil if there is none), or the error that a
// test identity asks for.
func decide(individual sandbox.Members, now time.Time) (verdict, error) {
	given, family := individual.Scalar("given_name"), individual.Scalar("family_name")
	for _, t := range TestIdentities {
		if !strings.EqualFold(t.FamilyName, strings.TrimSpace(family)) ||
			t.GivenName != "" && !strings.EqualFold(t.GivenName, strings.TrimSpace(given)) {
			continue
		}
		switch t.Status {
		case http.StatusForbidden:
			return verdict{}, refuse(t.Status, t.Error, "this account may not run the workflow; ask for access to it")
		case http.StatusTooManyRequests:
			e := published(t.Status, t.Error)
			e.header = http.Header{"X-Retry-After": {"1"}}
			return verdict{}, e
		case http.StatusInternalServerError:
			return verdict{}, published(t.Status, t.Error)
		}
		return verdict{t.Decision, t.Step, "test identity: " + t.Note}, nil
	}
	for _, r := range DerivedRules {
		if r.holds(individual, now) {
			return verdict{r.Decision, r.Step, "derived: " + r.When}, nil
		}
	}
	// Only if DerivedRules was changed and no rule applies.
	return verdict{}, published(http.StatusInternalServerError, "server_error")
}
