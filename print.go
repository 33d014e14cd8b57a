package sealane

import (
	"fmt"
	"io"
	"log/slog"
)

// String returns the lane's name. A lane holds keys: however it is printed, it shows
// nothing else.
func (l *Lane) String() string { return "lane " + l.Name() }

// Format writes String, whatever the verb is.
func (l *Lane) Format(f fmt.State, _ rune) { io.WriteString(f, l.String()) }

// LogValue returns String.
func (l *Lane) LogValue() slog.Value { return slog.StringValue(l.String()) }

// String describes the message without its payload and without keys.
func (v *Verified) String() string {
	return fmt.Sprintf("message of %d bytes, opened by %q, signed by %q", len(v.payload), v.by.ID, v.signer.ID)
}

// Format writes String, whatever the verb is.
func (v *Verified) Format(f fmt.State, _ rune) { io.WriteString(f, v.String()) }

// LogValue returns String.
func (v *Verified) LogValue() slog.Value { return slog.StringValue(v.String()) }

// String describes the message without its payload and without keys.
func (u *Unverified) String() string {
	return fmt.Sprintf("message of %d bytes, opened by %q, not signed", len(u.payload), u.by.ID)
}

// Format writes String, whatever the verb is.
func (u *Unverified) Format(f fmt.State, _ rune) { io.WriteString(f, u.String()) }

// LogValue returns String.
func (u *Unverified) LogValue() slog.Value { return slog.StringValue(u.String()) }
