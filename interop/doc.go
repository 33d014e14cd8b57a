// Package interop tests Sealane against other implementations and third-party test vectors.
// It is a module of its own, so that its dependencies do not become those of Sealane.
// bench.sh runs its benchmarks.
package interop
