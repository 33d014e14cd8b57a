package operation

import (
	"context"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/todo"
)

// Parts of a list of what somebody must look at.
type (
	TodoQuery = todo.Query
	TodoList  = todo.List
	TodoItem  = todo.Item
	TodoKind  = todo.Kind
	TodoRest  = todo.Rest
)

// Kinds that a front end tells apart.
const (
	TodoSchedule  = todo.Schedule
	TodoAnchor    = todo.Anchor
	TodoRootKey   = todo.RootKey
	TodoUsedLate  = todo.UsedLate
	TodoDamaged   = todo.Damaged
	TodoAlarm     = todo.Alarm
	TodoEnds      = todo.Ends
	TodoUnwatched = todo.Unwatched
	TodoRenewal   = todo.Renewal
	TodoRequest   = todo.Request
	TodoIncoming  = todo.Incoming
	TodoNoOurs    = todo.NoOurs
	TodoNoTheirs  = todo.NoTheirs
	TodoOffer     = todo.Offer
	TodoMismatch  = todo.Mismatch
	TodoNoContact = todo.NoContact
	TodoWaiver    = todo.Waiver
	TodoOptional  = todo.Optional
	TodoNoCaller  = todo.NoCaller
	TodoSHA1      = todo.AcceptsSHA1
)

// Those who act next. Any other is the identity of a partner.
const (
	WaitsForUs       = exchange.WaitsForUs
	WaitsForSecond   = exchange.WaitsForSecond
	WaitsForNobody   = exchange.WaitsForNobody
	WaitsForSchedule = exchange.WaitsForSchedule
	WaitsForNodes    = exchange.WaitsForNodes
)

// Todo returns what somebody must look at, over all partners.
var Todo = reading("Todo", func(ctx context.Context, v *registry.Viewer, in TodoQuery) (TodoList, error) {
	return todo.Look(ctx, v, in)
})
