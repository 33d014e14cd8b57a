package rootkey

import "errors"

// minDifferent is how many different bytes a key must have. Of 10¹⁶ random keys less than one
// has fewer.
const minDifferent = 16

// varied refuses bytes that are not random, such as zeros, a pattern that repeats itself, or
// numbers that count. It overwrites what it refuses.
func varied(secret []byte) ([]byte, error) {
	if different(secret) < minDifferent || repeats(secret) || counts(secret) {
		clear(secret)
		return nil, errors.New("it is not random")
	}
	return secret, nil
}

func different(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// repeats reports whether b is a part of it again and again, but for a few bytes.
func repeats(b []byte) bool {
	for period := 1; period <= len(b)/2; period++ {
		same := 0
		for i := period; i < len(b); i++ {
			if b[i] == b[i-period] {
				same++
			}
		}
		if 2*same >= len(b)-period {
			return true
		}
	}
	return false
}

// counts reports whether most bytes of b have the same distance to the one before.
func counts(b []byte) bool {
	var steps [256]int
	for i := 1; i < len(b); i++ {
		step := b[i] - b[i-1]
		if steps[step]++; 2*steps[step] >= len(b)-1 {
			return true
		}
	}
	return false
}
