package kms

import (
	"fmt"
	"io"
	"log/slog"
)

// A Key may hold a private key in memory. However it is printed, logged or marshaled, it shows its key
// ID and the type of its private key, and nothing else.

// String describes the key without its private part.
func (k Key) String() string {
	return fmt.Sprintf("private key %q (%T, %d certificates)", k.KeyID, k.Private, len(k.Certificates))
}

// Format writes String, whatever the verb is.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue returns String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns String. So encoding/json, encoding/xml and YAML libraries write it, too.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// GobEncode returns String.
func (k Key) GobEncode() ([]byte, error) { return k.MarshalText() }
