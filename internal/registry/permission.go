package registry

import (
	"errors"
	"slices"
	"strings"
)

// Action is what a person does in the registry. The audit log has it as a text.
type Action string

// The actions.
const (
	ActionPartnerAdd        Action = "partner.add"
	ActionPartnerExport     Action = "partner.export"
	ActionEnvironmentAdd    Action = "environment.add"
	ActionEnvironmentChange Action = "environment.change"
	ActionURLSet            Action = "url.set"
	ActionContactSet        Action = "contact.set"
	ActionContactRemove     Action = "contact.remove"
	ActionAPIKeyIssue       Action = "apikey.issue"
	ActionAPIKeyRevoke      Action = "apikey.revoke"

	ActionKeyCreate    Action = "key.create"
	ActionKeyImport    Action = "key.import"
	ActionKeyExport    Action = "key.export"
	ActionKeyInstalled Action = "key.installed"
	ActionKeyRetire    Action = "key.retire"
	ActionKeyDestroy   Action = "key.destroy"
	ActionKeyRevoke    Action = "key.revoke"
	ActionKeyBlock     Action = "key.block"
	ActionKeyUndo      Action = "key.undo"

	ActionExchangeOffer     Action = "exchange.offer"
	ActionExchangeAlias     Action = "exchange.alias"
	ActionExchangeReceive   Action = "exchange.receive"
	ActionExchangeAlarm     Action = "exchange.alarm"
	ActionExchangeMatch     Action = "exchange.match"
	ActionExchangeMismatch  Action = "exchange.mismatch"
	ActionExchangeChallenge Action = "exchange.challenge"
	ActionExchangeAnswer    Action = "exchange.answer"
	ActionExchangeProve     Action = "exchange.prove"
	ActionExchangeApprove   Action = "exchange.approve"
	ActionExchangeReject    Action = "exchange.reject"
	ActionExchangeStage     Action = "exchange.stage"
	ActionExchangeActivate  Action = "exchange.activate"
	ActionExchangeRetire    Action = "exchange.retire"
	ActionExchangeRevoke    Action = "exchange.revoke"

	ActionExchangeUndo    Action = "exchange.undo"
	ActionExchangeMigrate Action = "exchange.migrate"
	ActionExchangeDismiss Action = "exchange.dismiss"

	ActionKeyUnblock     Action = "key.unblock"
	ActionRequestMake    Action = "request.make"
	ActionRequestApprove Action = "request.approve"
	ActionRequestReject  Action = "request.reject"

	// ActionRead is reading whatever the registry has. It has no record.
	ActionRead Action = "read"

	ActionPersonAdd     Action = "person.add"
	ActionPersonRevoke  Action = "person.revoke"
	ActionPersonToken   Action = "person.token"
	ActionPersonRoles   Action = "person.roles"
	ActionProfileAdd    Action = "profile.add"
	ActionProfileChange Action = "profile.change"
	ActionRootKeySet    Action = "rootkey.set"
	ActionRootKeyRotate Action = "rootkey.rotate"
	ActionBackup        Action = "backup"
	ActionRowsAccept    Action = "rows.accept"
	ActionAnchorsSet    Action = "anchors.set"
)

// permission says which roles may do an action, and whether it asks for a reason, because
// it ends something or loosens a rule.
type permission struct {
	roles  []Role
	reason bool
}

// permissions has every action. What is not here nobody may do.
var permissions = map[Action]permission{
	ActionPartnerAdd:        {roles: []Role{Operator}},
	ActionPartnerExport:     {roles: []Role{Operator}},
	ActionEnvironmentAdd:    {roles: []Role{Operator}},
	ActionEnvironmentChange: {roles: []Role{Operator}},
	ActionURLSet:            {roles: []Role{Operator}},
	ActionContactSet:        {roles: []Role{Operator}},
	ActionContactRemove:     {roles: []Role{Operator}},
	ActionAPIKeyIssue:       {roles: []Role{Operator}},
	ActionAPIKeyRevoke:      {roles: []Role{Operator, Approver}, reason: true},

	ActionKeyCreate:    {roles: []Role{Operator}},
	ActionKeyImport:    {roles: []Role{Operator}},
	ActionKeyExport:    {roles: []Role{Operator}, reason: true},
	ActionKeyInstalled: {roles: []Role{Operator}},
	ActionKeyRetire:    {roles: []Role{Operator}, reason: true},
	ActionKeyDestroy:   {roles: []Role{Operator}, reason: true},
	ActionKeyRevoke:    {roles: []Role{Operator, Approver}, reason: true},
	ActionKeyBlock:     {roles: []Role{Operator, Approver}, reason: true},
	ActionKeyUndo:      {roles: []Role{Operator}, reason: true},

	ActionExchangeOffer:     {roles: []Role{Operator}},
	ActionExchangeAlias:     {roles: []Role{Operator}},
	ActionExchangeReceive:   {roles: []Role{Operator}},
	ActionExchangeAlarm:     {roles: []Role{Operator}},
	ActionExchangeMatch:     {roles: []Role{Operator}},
	ActionExchangeMismatch:  {roles: []Role{Operator, Approver}},
	ActionExchangeChallenge: {roles: []Role{Operator}},
	ActionExchangeAnswer:    {roles: []Role{Operator}},
	ActionExchangeProve:     {roles: []Role{Operator}},
	ActionExchangeApprove:   {roles: []Role{Approver}},
	ActionExchangeReject:    {roles: []Role{Operator, Approver}, reason: true},
	ActionExchangeStage:     {roles: []Role{Operator}},
	ActionExchangeActivate:  {roles: []Role{Operator}},
	ActionExchangeRetire:    {roles: []Role{Operator}, reason: true},
	ActionExchangeRevoke:    {roles: []Role{Operator, Approver}, reason: true},

	ActionExchangeUndo:    {roles: []Role{Operator, Approver}, reason: true},
	ActionExchangeMigrate: {roles: []Role{Operator}},
	ActionExchangeDismiss: {roles: []Role{Approver}, reason: true},

	ActionKeyUnblock:     {roles: []Role{Operator, Approver}, reason: true},
	ActionRequestMake:    {roles: []Role{Administrator, Operator, Approver}},
	ActionRequestApprove: {roles: []Role{Approver}},
	ActionRequestReject:  {roles: []Role{Administrator, Operator, Approver}, reason: true},

	ActionRead: {roles: []Role{Administrator, Operator, Approver, Auditor}},

	ActionPersonAdd:     {roles: []Role{Administrator}},
	ActionPersonRevoke:  {roles: []Role{Administrator}, reason: true},
	ActionPersonToken:   {roles: []Role{Administrator}},
	ActionPersonRoles:   {roles: []Role{Administrator}},
	ActionProfileAdd:    {roles: []Role{Administrator, Operator}},
	ActionProfileChange: {roles: []Role{Administrator}, reason: true},
	ActionRootKeySet:    {roles: []Role{Administrator, Operator}},
	ActionRootKeyRotate: {roles: []Role{Administrator}, reason: true},
	ActionBackup:        {roles: []Role{Administrator}},
	ActionRowsAccept:    {roles: []Role{Administrator}, reason: true},
	ActionAnchorsSet:    {roles: []Role{Administrator}, reason: true},
}

// ErrForbidden means that a person may not do an action. The error's text says who may.
var ErrForbidden = errors.New("not allowed")

// May returns an error that is [ErrForbidden] if the person may not do an action. Change
// asks for itself.
func (s *Session) May(a Action) error {
	p, known := permissions[a]
	if !known {
		return Refuse("%w: nobody may %s", ErrForbidden, a)
	}
	if !slices.ContainsFunc(s.person.Roles, func(r Role) bool { return slices.Contains(p.roles, r) }) {
		return Refuse("%w: %s needs the role %s, and %s has %s",
			ErrForbidden, a, alternatives(p.roles), s.person.ID, alternatives(s.person.Roles))
	}
	return nil
}

// alternatives joins texts by "or".
func alternatives[T ~string](list []T) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = string(text)
	}
	return strings.Join(texts, " or ")
}
