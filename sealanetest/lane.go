package sealanetest

import (
	"testing"

	"github.com/sealane/sealane"
)

// CustomerConfig configures the customer's lane to a provider with [ProviderKey].
func CustomerConfig() sealane.Config {
	return sealane.Config{
		Profile: load("riskos"), Side: sealane.ClientSide, Environment: "SANDBOX",
		Ours: CustomerKey().Ours(), Theirs: ProviderKey().Theirs(),
	}
}

// ProviderConfig configures the provider's lane to a customer with [CustomerKey].
func ProviderConfig() sealane.Config {
	return sealane.Config{
		Profile: load("riskos"), Side: sealane.ServerSide, Environment: "SANDBOX",
		Ours: ProviderKey().Ours(), Theirs: CustomerKey().Theirs(),
	}
}

// VCASConfig configures the lane of VCAS to an issuer with [IssuerKey].
func VCASConfig() sealane.Config {
	return sealane.Config{
		Profile: load("rdx"), Side: sealane.ClientSide, Environment: "STAG", Theirs: IssuerKey().Theirs(),
	}
}

// IssuerConfig configures the lane of an issuer with [IssuerKey]. Its SenderAuth is
// sealane.SenderUnauthenticated.
func IssuerConfig() sealane.Config {
	return sealane.Config{
		Profile: load("rdx"), Side: sealane.ServerSide, Environment: "STAG", Ours: IssuerKey().Ours(),
		SenderAuth: sealane.SenderUnauthenticated,
	}
}

func newLane(t testing.TB, c sealane.Config) *sealane.Lane {
	t.Helper()
	lane, err := sealane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return lane
}
