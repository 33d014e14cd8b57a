// Package cert creates X.509 certificates, checks those of a partner against a policy,
// and computes the checksums and key IDs that name them. It needs only the standard
// library. Package keyfile reads and writes the files that they come in.
//
// # Create
//
// [GenerateKey] makes an RSA key pair and [Create] a self-signed certificate for it.
// Create takes a [crypto.Signer], so the private key can stay in an HSM.
//
// # Check
//
// [Check] applies every rule to a certificate and returns a [Verdict] with one
// [Finding] for each rule: what was found, what was wanted, and what to do. A [Policy]
// holds what differs between partners; profiles carry one. The other rules are the
// same for everybody: an end entity, a known signature algorithm, a serial number by
// RFC 5280, and an RSA key that passes [CheckKey].
//
// A certificate that passes is well made. Whether it is the partner's, only the
// partner can say: compare its checksum over another channel. [Fingerprints] computes
// every checksum that a partner may send, and [Match] says which of them a text is.
//
// # Key IDs
//
// A message names its key by a key ID. Most partners accept any short text
// ([CheckKeyIDText]) or the [ThumbprintJWK] of the key. VCAS prescribes a name of six
// parts, the [KeyID].
package cert
