// Package sealanetest provides fake partners for tests: a provider of RiskOS, an issuer of
// VCAS RDX, and a VCAS that sends to an issuer. They use HTTP on the loopback interface,
// with the keys of this package, and stop when the test ends.
//
// # Testing a client
//
// [NewProvider] starts a RiskOS with one account. [Provider.Lane] is the customer's lane to
// it. [NewIssuer] starts an issuer; [Issuer.Lane] is the sender's lane to it. Both record
// what they receive: see [Request].
//
// # Testing a server
//
// [NewVCAS] sends the messages of a cardholder's challenge to a server under test.
// [ProviderConfig] and [IssuerConfig] configure the lane of a server for these fakes and
// for clients with [CustomerConfig] and [VCASConfig].
//
// # Faults
//
// [Provider.Fail], [Issuer.Fail] and [VCAS.Fail] make the next messages faulty. A [Fault]
// is one of three things: an outcome of the profile's error table, which is then the fake's
// answer; a constant of this package; or a code of package fault, for a sealed message with
// that fault.
//
//	p.Fail(sealanetest.Fault(sealane.ErrDecryption)) // the provider answers that it could not decrypt
//	p.Fail(sealanetest.OtherSigner)                  // the response is signed by a stranger
//	p.Fail(sealanetest.Fault(fault.OpenTag))         // its authentication tag is wrong
//
// # Keys
//
// [CustomerKey], [ProviderKey] and [IssuerKey] never change, so golden files may contain
// their fingerprints. They are public: never use them for anything but tests.
package sealanetest
