//go:build !race

package jose_test

// messages is how many TestMillionFreshKeys seals.
const messages = 1_000_000
