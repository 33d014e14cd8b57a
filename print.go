package sealane

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
)

// String returns the lane's name. A lane holds keys: however it is printed, it shows
// nothing else.
func (l *Lane) String() string { return "lane " + l.Name() }

// Format writes String, whatever the verb is.
func (l *Lane) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

// LogValue returns String.
func (l *Lane) LogValue() slog.Value { return slog.StringValue(l.String()) }

// keyText returns the ID of a key, or the thumbprint of one that has none, as the command line does.
func keyText(k keyring.Key) string {
	if k.ID == "" && k.Public != nil {
		return "key " + cert.ThumbprintJWK(k.Public)
	}
	return fmt.Sprintf("key %q", k.ID)
}

// String describes the message without its payload and without keys.
func (v *Verified) String() string {
	return fmt.Sprintf("message of %d bytes, opened by %s, signed by %s", len(v.payload), keyText(v.by),
		keyText(v.signer))
}

// Format writes String, whatever the verb is.
func (v *Verified) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

// LogValue returns String.
func (v *Verified) LogValue() slog.Value { return slog.StringValue(v.String()) }

// String describes the message without its payload and without keys.
func (u *Unverified) String() string {
	return fmt.Sprintf("message of %d bytes, opened by %s, not signed", len(u.payload), keyText(u.by))
}

// Format writes String, whatever the verb is.
func (u *Unverified) Format(f fmt.State, _ rune) { io.WriteString(f, u.String()) }

// LogValue returns String.
func (u *Unverified) LogValue() slog.Value { return slog.StringValue(u.String()) }
