// Package sandbox holds stand-ins of two vendors' services, for demonstrations and tests: RiskOS (evaluation and
// document verification), an issuer that answers RDX, and VCAS, which sends RDX to an issuer.
//
// Everything here speaks plain JSON. Sealing, API keys and client certificates are layers around it: a Handler outside
// RiskOS and Issuer, a RoundTripper inside VCAS.Client.
//
// The stand-ins keep to what the vendors publish. What isn't public is chosen here, and the comment that introduces it says
// "guess". State is in memory, bounded, and gone with the process; nothing is logged.
package sandbox
