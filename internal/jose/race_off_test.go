//go:build !race

package jose_test

// messages is how many messages TestMillionFreshKeys seals.
const messages = 1_000_000
