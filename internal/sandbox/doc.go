// Package sandbox holds what the stand-ins of the vendors' services share: an endpoint with faults
// on demand, a sender with faults, strict reading of JSON, a bounded map and a clock. The stand-ins
// themselves are in riskos (evaluation and document verification) and rdx (VCAS, and an issuer that
// answers it).
//
// The services speak plain JSON. API keys, sealing and client certificates are layers around them:
// an Endpoint outside riskos.Service and rdx.Issuer, a RoundTripper inside rdx.VCAS.Client.
//
// The stand-ins keep to what the vendors publish. What isn't public is chosen here, and the comment
// that introduces it says "guess". State is in memory, bounded, and gone with the process; nothing
// is logged.
package sandbox
