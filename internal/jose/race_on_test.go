//go:build race

package jose_test

// messages are fewer under the race detector, which makes each cost five times
// as much; the million is sealed without it.
const messages = 100_000
