//go:build race

package jose_test

// messages is smaller under the race detector, which makes each five times as slow; the
// million is sealed without it.
const messages = 100_000
