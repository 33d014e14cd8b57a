package rdx

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/sealane/sealane/internal/sandbox"
)

// Transaction holds the data that all messages about one purchase share.
// VCAS.NewTransaction fills it with plausible test data; any member may be changed before
// it is sent.
type Transaction struct {
	ProcessorID, IssuerID string // up to 24 characters each
	ID, DSID              string // GUIDs
	StepupRequestID       string
	StepupCounter         int
	StepupType            string // of the stepup's answer; sent with validate
	FirstFactorOutcome    string // sent with validate if two factors are asked for; empty is not sent
	CardNumber            string
	CardExpiryMonth       string
	CardExpiryYear        string
	CardHolderName        string
	MerchantName          string
	Amount                json.Number // in the currency's minor unit
	Currency              string      // ISO 4217, numeric
	At                    time.Time
}

// NewTransaction returns a transaction with fresh ids, for the card and parties that v names.
func (v *VCAS) NewTransaction() Transaction {
	return Transaction{
		ProcessorID: cmp.Or(v.ProcessorID, "5723ae630063ac1a9c3ab079"),
		IssuerID:    cmp.Or(v.IssuerID, "5723ae630063ac1a9c3ab083"),
		ID:          uuid.NewString(), DSID: uuid.NewString(), StepupRequestID: uuid.NewString(),
		CardNumber:      cmp.Or(v.CardNumber, otherCard),
		CardExpiryMonth: "08", CardExpiryYear: "28", CardHolderName: "Jane Doe",
		MerchantName: "Ranier Expeditions", Amount: "12999", Currency: "840", At: sandbox.Clock(v.Now).Now(),
	}
}

// message is an RDX request. Its members are in the order of the vendor's example; members
// that belong to other calls are empty.
type message struct {
	ProcessorID        string `json:"ProcessorId"`
	IssuerID           string `json:"IssuerId"`
	TransactionID      string `json:"TransactionId"`
	DSTransactionID    string `json:"DSTransactionId"`
	RequestorAuthInd   string `json:"ThreeDSRequestorAuthenticationInd"`
	StepupRequestID    string `json:"StepupRequestId,omitempty"`
	StepupCounter      *int   `json:"StepupCounter,omitempty"` // 0 is sent, absence is for risk
	StepupType         string `json:"StepupType,omitempty"`
	StepupReason       string `json:"StepupReason,omitempty"`
	DeviceLocale       string `json:"DeviceLocale,omitempty"`
	DeviceUserAgent    string `json:"DeviceUserAgent,omitempty"`
	MessageVersion     string `json:"MessageVersion"`
	RDXMessageVersion  string `json:"RDXMessageVersion"`
	MessageCategory    string `json:"MessageCategory"`
	ChallengeIndicator string `json:"MerchantChallengeIndicator,omitempty"`

	MerchantInfo    *merchantInfo    `json:"MerchantInfo,omitempty"`
	PaymentInfo     *paymentInfo     `json:"PaymentInfo,omitempty"`
	TransactionInfo *transactionInfo `json:"TransactionInfo,omitempty"`

	RiskScore     string         `json:"RiskScore,omitempty"`
	RuleOutcome   string         `json:"RuleOutcome,omitempty"`
	CardBrandName string         `json:"CardBrandName,omitempty"`
	ExemptionInfo *exemptionInfo `json:"ExemptionInfo,omitempty"`

	Credentials        []Credential         `json:"Credentials,omitempty"`
	OtpReferenceCode   string               `json:"OtpReferenceCode,omitempty"`
	VerificationToken  string               `json:"VerificationToken,omitempty"`
	OOBPushCallBackURL string               `json:"OOBPushCallBackUrl,omitempty"`
	CredentialResponse []credentialResponse `json:"CredentialResponse,omitempty"`
	FirstFactorOutcome string               `json:"FirstFactorOutcome,omitempty"`
}

type merchantInfo struct {
	AcquirerID             string `json:"AcquirerId"`
	AcquirerCountryCode    string `json:"AcquirerCountryCode"`
	MerchantID             string `json:"MerchantId"`
	MerchantName           string `json:"MerchantName"`
	MerchantURL            string `json:"MerchantURL"`
	MerchantCategoryCode   string `json:"MerchantCategoryCode"`
	MerchantCountryCode    string `json:"MerchantCountryCode"`
	MerchantAppRedirectURL string `json:"MerchantAppRedirectURL"`
}

type paymentInfo struct {
	CardNumber      string `json:"CardNumber"`
	CardExpiryMonth string `json:"CardExpiryMonth"`
	CardExpiryYear  string `json:"CardExpiryYear"`
	CardHolderName  string `json:"CardHolderName"`
}

type transactionInfo struct {
	TransactionTimeStamp string      `json:"TransactionTimeStamp"`
	TransactionAmount    json.Number `json:"TransactionAmount,omitempty"`
	TransactionCurrency  string      `json:"TransactionCurrency"`
	TransactionExponent  int         `json:"TransactionExponent"`
	TransactionType      string      `json:"TransactionType"`
	Channel              string      `json:"Channel"`
}

// exemptionInfo is a guess: its members are not published.
type exemptionInfo struct {
	ExemptionRequested string `json:"ExemptionRequested"`
}

type credentialResponse struct {
	ID    string `json:"Id"`
	Type  string `json:"Type"`
	Value string `json:"Value,omitempty"`
}

// message fills in the members of the call. RiskScore, RuleOutcome, StepupReason and the
// two codes have plausible values; their meaning is not public.
func (t Transaction) message(call string, c Credential, value string) message {
	m := message{
		ProcessorID: t.ProcessorID, IssuerID: t.IssuerID, TransactionID: t.ID, DSTransactionID: t.DSID,
		RequestorAuthInd: "01", MessageVersion: "2.2.0", RDXMessageVersion: "2.2.4", MessageCategory: "01",
	}
	if call != CallRisk {
		m.StepupRequestID, m.StepupCounter = t.StepupRequestID, &t.StepupCounter
	}
	switch call {
	case CallRisk:
		m.ChallengeIndicator = "01"
		m.RiskScore, m.RuleOutcome, m.CardBrandName = "42", "STEPUP", "VISA"
		m.ExemptionInfo = &exemptionInfo{ExemptionRequested: "NONE"}
		t.describe(&m)
	case CallStepup:
		m.DeviceLocale = "en-US"
		m.DeviceUserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		m.StepupReason = "RISK"
		t.describe(&m)
	case CallInitiateAction:
		m.Credentials = []Credential{c}
		m.OtpReferenceCode, m.VerificationToken = rand.Text()[:8], rand.Text()[:18]
		if silentCredential(c.Type) {
			m.OOBPushCallBackURL = "https://vcas.example/oob/" + t.ID
		}
	case CallValidate:
		m.StepupType, m.FirstFactorOutcome = t.StepupType, t.FirstFactorOutcome
		m.CredentialResponse = []credentialResponse{{ID: c.ID, Type: c.Type, Value: value}}
	}
	return m
}

func (t Transaction) describe(m *message) {
	m.MerchantInfo = &merchantInfo{
		AcquirerID: "1337", AcquirerCountryCode: "840", MerchantID: "876543210", MerchantName: t.MerchantName,
		MerchantURL: "https://www.requestor.com", MerchantCategoryCode: "0123", MerchantCountryCode: "840",
		MerchantAppRedirectURL: "merchantScheme://appName?transID=" + t.ID,
	}
	m.PaymentInfo = &paymentInfo{
		CardNumber: t.CardNumber, CardHolderName: t.CardHolderName,
		CardExpiryMonth: t.CardExpiryMonth, CardExpiryYear: t.CardExpiryYear,
	}
	m.TransactionInfo = &transactionInfo{
		TransactionTimeStamp: sandbox.Timestamp(t.At), TransactionType: "Purchase", Channel: "02",
		TransactionAmount: t.Amount, TransactionCurrency: t.Currency, TransactionExponent: 2,
	}
}
