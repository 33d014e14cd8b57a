// Package interop holds Sealane against other implementations and other
// people's test vectors. It is a module of its own, so that none of what it
// needs becomes a dependency of Sealane. There is nothing in it but tests.
package interop
