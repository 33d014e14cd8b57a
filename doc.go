// Package sealane signs and encrypts the messages between two companies' APIs: JSON
// that one partner signs and encrypts to the other, as a JWS inside a JWE (RFC 7515,
// RFC 7516).
//
// # Use
//
// A [Lane] is what we and one partner agreed on in one environment: a profile, which
// is the partner's dialect as data (package profile), our keys and the partner's
// (package keyring). [New] makes a lane from a [Config].
//
// [Lane.Seal] signs a payload and encrypts it to the partner. [Lane.Open] decrypts a
// token and verifies its signature. Both take and return the payload byte for byte.
// Package sealhttp does the same with the bodies of HTTP requests and responses.
//
// # Trust
//
// Open returns a [*Verified]: its payload is what the partner signed. Some dialects
// encrypt without a signature, and such a message proves nothing about its sender.
// [Lane.OpenUnverified] opens it as an [*Unverified]. Functions that need to know the
// sender should take a *Verified.
//
// # Errors
//
// An error is an [*Error], which names the exact fault for the operator, and wraps an
// outcome, such as [ErrDecryption], which is all that a partner may learn. [OutcomeOf]
// and [FaultOf] return them. Where the context has ended, the error wraps that of the
// context instead. No error holds a payload, a key or a token.
//
// # Keys
//
// Private keys are crypto.Signer and crypto.Decrypter, so that they may stay in a
// hardware module or a vault; package kms opens them by URI. During a rotation a ring
// holds several keys: all of them open, and the active one seals. A lane never
// changes; make a new one when keys or rules change, and serve it by a
// sealhttp.LaneFunc.
//
// # Compatibility
//
// The profiles "riskos" and "rdx" are part of this module. Tokens are interchangeable
// with other implementations of RFC 7515, RFC 7516 and RFC 7518 that use the profile's
// algorithms.
package sealane
