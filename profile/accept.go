package profile

import "strings"

// Accepts reports whether a header value (nil: absent) is accepted. Known is not checked
// here, because only the caller knows the keys. Media types are compared without regard to
// case and to a missing "application/" (RFC 7515 section 4.1.9).
func (m HeaderParam) Accepts(value *string) bool {
	for _, word := range m.Open {
		switch {
		case value == nil:
			if word == Absent {
				return true
			}
		case word == Any || word == Known:
			return true
		case word != Absent && mediaType(word) == mediaType(*value):
			return true
		}
	}
	return false
}

// Demands reports whether a key ID must be one of the known keys.
func (m HeaderParam) Demands() bool {
	known := false
	for _, word := range m.Open {
		if word == Any {
			return false
		}
		known = known || word == Known
	}
	return known
}

func mediaType(s string) string {
	s = strings.ToLower(s)
	if !strings.Contains(s, "/") {
		s = "application/" + s
	}
	return s
}

// SealValue returns the header value to send (nil: none), given the ID of the key in use.
func (m HeaderParam) SealValue(keyID string) *string {
	value := m.Seal
	if value == KeyID {
		value = keyID
	}
	if value == "" {
		return nil
	}
	return &value
}
