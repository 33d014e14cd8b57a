package gateway_test

import "os"

// proof returns how often a test repeats something: short, or long where interop/proof.sh runs it.
func proof(short, long int) int {
	if os.Getenv("SEALANE_PROOF") == "long" {
		return long
	}
	return short
}
