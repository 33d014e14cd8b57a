package kms

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An Opener opens the private key that uri names. The URI is as the user wrote it, with the scheme. The
// documentation of this package says what the key must do.
//
// Open prefixes an error with the scheme. Its text is shown to the user and logged; it says which key
// it was, and does not contain a credential.
type Opener func(ctx context.Context, uri string, o Options) (*Key, error)

var (
	mu      sync.RWMutex
	openers = map[string]Opener{"file": openFile}
)

var validScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]+$`)

// Register adds a key store: [Open] calls open for URIs with that scheme. It is meant to be called from
// the init function of the package that contains the store.
//
// A scheme consists of lower-case letters, digits, "+" and "-", begins with a letter, and has at least
// two characters. Register panics if the scheme is not valid or is registered already, or if open is
// nil.
func Register(scheme string, open Opener) {
	mu.Lock()
	defer mu.Unlock()
	switch {
	case !validScheme.MatchString(scheme):
		panic(fmt.Sprintf("kms: Register: scheme %q is not valid: it must match %s", scheme, validScheme))
	case open == nil:
		panic(fmt.Sprintf("kms: Register: the opener of scheme %q is nil", scheme))
	case openers[scheme] != nil:
		panic(fmt.Sprintf("kms: Register: scheme %q is registered already", scheme))
	}
	openers[scheme] = open
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Sorted(maps.Keys(openers))
}

// schemeOf returns the scheme of a key URI in lower case. That of a path alone is file.
func schemeOf(uri string) string {
	scheme, _, found := strings.Cut(uri, ":")
	if scheme = strings.ToLower(scheme); found && validScheme.MatchString(scheme) {
		return scheme
	}
	return "file"
}

func opener(scheme string) (Opener, error) {
	mu.RLock()
	open := openers[scheme]
	mu.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("key: scheme %q is not known; this program knows %s. "+
			"Use a program that imports the package of the key store, which calls kms.Register(%q, …)",
			scheme, strings.Join(Schemes(), ", "), scheme)
	}
	return open, nil
}
