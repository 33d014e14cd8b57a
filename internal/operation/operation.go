// Package operation has every act of a person in the registry as one value: the permission,
// the input, the output, and the function that runs in the person's session. The command
// line calls nothing else, and neither will any other front end, so that rules, permissions
// and texts of errors are the same for all.
//
// Inputs and outputs are structs with JSON names; a few are sequences or bytes. A front end that
// is asked for JSON writes the output unchanged.
package operation

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/sealane/sealane/internal/nearest"
	"github.com/sealane/sealane/internal/registry"
)

// Operation is one act, from In to Out. An act that only reads gets a [registry.Viewer],
// which cannot change anything.
type Operation[In, Out any] struct {
	// Action is the permission that the act needs, and its name in the audit log.
	// [registry.ActionRead] leaves no record.
	Action registry.Action

	name   string
	keys   bool // it uses private keys or API keys of the registry
	tries  bool // it uses them if the root key can be loaded
	secret bool // its input may have a secret, so no request keeps it
	read   func(context.Context, *registry.Viewer, In) (Out, error)
	check  func(context.Context, *keyViewer, In) (Out, error)
	change func(context.Context, *Session, In) (Out, error)
}

// Do runs the operation. It first checks that the person may do it.
func (o *Operation[In, Out]) Do(ctx context.Context, s *Session, in In) (Out, error) {
	out, err := o.do(ctx, s, in)
	return out, withNearest(ctx, s, err)
}

func (o *Operation[In, Out]) do(ctx context.Context, s *Session, in In) (out Out, err error) {
	if err := s.May(o.Action); err != nil {
		return out, err
	}
	if o.keys {
		if err := s.openKeys(ctx); err != nil {
			return out, err
		}
	}
	if o.tries {
		s.tryKeys(ctx)
	}
	switch {
	case o.read != nil:
		return o.read(ctx, &s.Viewer, in)
	case o.check != nil:
		return o.check(ctx, &keyViewer{&s.Viewer, s.registry}, in)
	}
	out, err = o.change(ctx, s, in)
	if o.secret {
		return out, s.request(ctx, o.name, nil, err)
	}
	return out, s.request(ctx, o.name, in, err)
}

// withNearest adds to the error for an unknown partner the one that was probably meant.
func withNearest(ctx context.Context, s *Session, err error) error {
	unknown, ok := errors.AsType[*registry.UnknownPartner](err)
	if !ok || unknown.ID == "" {
		return err
	}
	var names []string
	failed := s.View(ctx, func(tx registry.Reader) error {
		letter := string([]rune(unknown.ID)[:1])
		for _, after := range []string{"", letter} { // the first ones, and those with the same first letter
			partners, err := tx.Partners(registry.Page{After: after, Limit: 1000})
			if err != nil {
				return err
			}
			for _, p := range partners {
				names = append(names, p.ID)
			}
		}
		return nil
	})
	near := nearest.Word(unknown.ID, names)
	if failed != nil || near == "" {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, near)
}

// Info describes an operation, for tests and for lists of all.
type Info struct {
	Name   string // such as "Approve"
	Action registry.Action
	Reads  bool // it changes nothing
	In     reflect.Type
	Out    reflect.Type
}

var all []Info

// All returns the description of every operation.
func All() []Info { return all }

func reading[In, Out any](
	name string, f func(context.Context, *registry.Viewer, In) (Out, error),
) *Operation[In, Out] {
	o := &Operation[In, Out]{Action: registry.ActionRead, read: f}
	describe(name, o)
	return o
}

// keyViewer reads the registry, and can try whether the root key opens its private keys.
type keyViewer struct {
	*registry.Viewer
	registry *Registry
}

// checking is reading for an operation that tries private keys of the registry.
func checking[In, Out any](name string, f func(context.Context, *keyViewer, In) (Out, error)) *Operation[In, Out] {
	o := &Operation[In, Out]{Action: registry.ActionRead, check: f}
	describe(name, o)
	return o
}

// trying makes an operation use the root key if it can be loaded.
func trying[In, Out any](o *Operation[In, Out]) *Operation[In, Out] {
	o.tries = true
	return o
}

// secretly makes the requests of an operation have no input. The person who made one does the act
// when it is granted.
func secretly[In, Out any](o *Operation[In, Out]) *Operation[In, Out] {
	o.secret = true
	return o
}

// allowed changes what a person must be allowed to do.
func allowed[In, Out any](a registry.Action, o *Operation[In, Out]) *Operation[In, Out] {
	o.Action, all[len(all)-1].Action = a, a
	return o
}

func changing[In, Out any](
	name string, a registry.Action, f func(context.Context, *Session, In) (Out, error),
) *Operation[In, Out] {
	o := &Operation[In, Out]{Action: a, name: name, change: f}
	describe(name, o)
	return o
}

// withKeys is changing for an operation that uses private keys or API keys of the registry.
func withKeys[In, Out any](
	name string, a registry.Action, f func(context.Context, *Session, In) (Out, error),
) *Operation[In, Out] {
	o := changing(name, a, f)
	o.keys = true
	return o
}

func describe[In, Out any](name string, o *Operation[In, Out]) {
	all = append(all, Info{name, o.Action, o.change == nil, reflect.TypeFor[In](), reflect.TypeFor[Out]()})
}

// None is the input or output of an operation that has none.
type None struct{}
