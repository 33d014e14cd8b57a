// Package interop holds Sealane against other implementations and other
// people's test vectors. It is a module of its own, so that none of what it
// needs becomes a dependency of Sealane: tests, and the benchmarks that bench.sh
// runs.
package interop
