package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/internal/testlane"
)

// TestLettersNameTheirSender: both letters say to whom, from whom and when, and whom to ask. A name
// adds no line of its own.
func TestLettersNameTheirSender(t *testing.T) {
	parcel := exchange.OfferPackage{
		Profile: testlane.Profile(t, "rdx"), Environment: "STAG", Certificate: testcert.Cert(t),
		To:   "VCAS\nSubject: another",
		From: exchange.Sender{Name: "Anna Ruiz", Email: "anna@bank.example", Telephone: "+34 91 555 0100"},
		Date: time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC),
	}
	covering, checksums, err := parcel.Letters()
	if err != nil {
		t.Fatal(err)
	}
	for _, letter := range []string{string(covering), string(checksums)} {
		for _, want := range []string{
			"\nTo: VCAS Subject: another\nFrom: Anna Ruiz", "\nDate: 30 November 2026\n\n",
			"\n\nQuestions: Anna Ruiz, anna@bank.example, telephone +34 91 555 0100\n",
		} {
			if !strings.Contains(letter, want) {
				t.Errorf("no %q in\n%s", want, letter)
			}
		}
	}
	if want := "Installed in STAG: the certificate"; !strings.Contains(string(covering), want) {
		t.Errorf("no %q in\n%s", want, covering)
	}
	parcel.To, parcel.From, parcel.Date = "", exchange.Sender{}, time.Time{}
	covering, _, err = parcel.Letters()
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"To:", "From:", "Date:", "Questions:"} {
		if strings.Contains(string(covering), never) {
			t.Errorf("%q without a sender:\n%s", never, covering)
		}
	}
}
