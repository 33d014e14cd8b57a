// Package sandbox holds the code that the stand-ins of the vendors' services share: an
// endpoint with faults on demand, a sender with faults, strict reading of JSON, a bounded
// map and a clock. The stand-ins themselves are in packages riskos (evaluation and document
// verification) and rdx (VCAS, and an issuer that answers it).
//
// The services read and write plain JSON. API keys, sealing and client certificates are
// layers around them: an Endpoint around riskos.Service and rdx.Issuer, a RoundTripper in
// rdx.VCAS.Client.
//
// The stand-ins follow what the vendors publish. Where that is not enough, the comment says
// "guess". State is in memory, bounded, and lost when the process ends; nothing is logged.
package sandbox
