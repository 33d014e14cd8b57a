package registry

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// Action is what a person does in the registry. The audit log has it as a text.
type Action string

// The actions.
const (
	ActionPartnerAdd        Action = "partner.add"
	ActionPartnerExport     Action = "partner.export"
	ActionPartnerChange     Action = "partner.change"
	ActionPartnerArchive    Action = "partner.archive"
	ActionPartnerRestore    Action = "partner.restore"
	ActionPartnerRemove     Action = "partner.remove"
	ActionEnvironmentAdd    Action = "environment.add"
	ActionEnvironmentChange Action = "environment.change"
	ActionApprovalsRaise    Action = "environment.raise"
	ActionURLSet            Action = "url.set"
	ActionEnvironmentRemove Action = "environment.remove"
	ActionContactSet        Action = "contact.set"
	ActionContactChange     Action = "contact.change"
	ActionContactRemove     Action = "contact.remove"
	ActionAPIKeyIssue       Action = "apikey.issue"
	ActionAPIKeyRevoke      Action = "apikey.revoke"
	ActionAPIKeyImport      Action = "apikey.import"
	ActionAPIKeyConvert     Action = "apikey.convert"
	ActionAPIKeyLabel       Action = "apikey.label"

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
	// ActionSelf is reading one's own row. It has no record.
	ActionSelf Action = "self"
	// ActionTokenEnd ends one's own token, and ActionTokenRenew replaces it.
	ActionTokenEnd   Action = "token.end"
	ActionTokenRenew Action = "token.renew"

	ActionPersonAdd     Action = "person.add"
	ActionPersonRevoke  Action = "person.revoke"
	ActionPersonToken   Action = "person.token"
	ActionPersonRoles   Action = "person.roles"
	ActionPersonChange  Action = "person.change"
	ActionProfileAdd    Action = "profile.add"
	ActionProfileRemove Action = "profile.remove"
	ActionProfileChange Action = "profile.change"
	ActionRootKeySet    Action = "rootkey.set"
	ActionRootKeyRotate Action = "rootkey.rotate"
	ActionBackup        Action = "backup"
	ActionRowsAccept    Action = "rows.accept"
	ActionAnchorsSet    Action = "anchors.set"
	ActionAuditAnchor   Action = "audit.anchor"
	ActionNodeRemove    Action = "node.remove"

	ActionRenewalOrder    Action = "renewal.order"
	ActionRenewalRollback Action = "renewal.rollback"
	ActionRenewalHold     Action = "renewal.hold"
	ActionRenewalTold     Action = "renewal.told"
	ActionRenewalAsk      Action = "renewal.ask"
	ActionRenewalMail     Action = "renewal.mail"
	ActionRenewalPlan     Action = "renewal.plan"
	// ActionRenewalBegin and ActionRenewalAdvance are acts of a program.
	ActionRenewalBegin   Action = "renewal.begin"
	ActionRenewalAdvance Action = "renewal.advance"

	ActionNoticeAck    Action = "notice.ack"
	ActionNoticeLetter Action = "notice.letter"
	ActionNoticeArm    Action = "notice.arm"
	// ActionNoticeSend is that a mail has ended: sent by a program, or by a person.
	ActionNoticeSend   Action = "notice.send"
	ActionNoticeBounce Action = "notice.bounce"
)

// permission says which roles may do an action, and whether it asks for a reason, because
// it ends something or loosens a rule.
type permission struct {
	roles  []Role
	reason bool
	// archived allows the action for an archived partner: it brings the partner back, or it ends
	// something, or takes it out of reach.
	archived bool
}

// permissions has every action. What is not here nobody may do.
var permissions = map[Action]permission{
	ActionPartnerAdd:        {roles: []Role{Operator}},
	ActionPartnerExport:     {roles: []Role{Operator}},
	ActionPartnerChange:     {roles: []Role{Operator}, archived: true},
	ActionPartnerArchive:    {roles: []Role{Operator}, reason: true, archived: true},
	ActionPartnerRestore:    {roles: []Role{Operator}, archived: true},
	ActionPartnerRemove:     {roles: []Role{Operator}, reason: true, archived: true},
	ActionEnvironmentRemove: {roles: []Role{Operator}, reason: true, archived: true},
	ActionEnvironmentAdd:    {roles: []Role{Operator}},
	ActionEnvironmentChange: {roles: []Role{Operator}},
	ActionApprovalsRaise:    {roles: []Role{Operator, Approver, Administrator, Auditor}},
	ActionURLSet:            {roles: []Role{Operator}},
	ActionContactSet:        {roles: []Role{Operator}},
	ActionContactChange:     {roles: []Role{Operator}},
	ActionContactRemove:     {roles: []Role{Operator}},
	ActionAPIKeyIssue:       {roles: []Role{Operator}},
	ActionAPIKeyRevoke:      {roles: []Role{Operator, Approver}, reason: true, archived: true},
	ActionAPIKeyImport:      {roles: []Role{Operator}},
	ActionAPIKeyConvert:     {roles: []Role{Administrator}},
	ActionAPIKeyLabel:       {roles: []Role{Operator}},

	ActionKeyCreate:    {roles: []Role{Operator}},
	ActionKeyImport:    {roles: []Role{Operator}},
	ActionKeyExport:    {roles: []Role{Operator}, reason: true},
	ActionKeyInstalled: {roles: []Role{Operator}},
	ActionKeyRetire:    {roles: []Role{Operator}, reason: true, archived: true},
	ActionKeyDestroy:   {roles: []Role{Operator}, reason: true, archived: true},
	ActionKeyRevoke:    {roles: []Role{Operator, Approver}, reason: true, archived: true},
	ActionKeyBlock:     {roles: []Role{Operator, Approver}, reason: true, archived: true},
	ActionKeyUndo:      {roles: []Role{Operator}, reason: true},

	ActionExchangeOffer:     {roles: []Role{Operator}},
	ActionExchangeAlias:     {roles: []Role{Operator}},
	ActionExchangeReceive:   {roles: []Role{Operator}},
	ActionExchangeAlarm:     {roles: []Role{Operator}, archived: true},
	ActionExchangeMatch:     {roles: []Role{Operator}},
	ActionExchangeMismatch:  {roles: []Role{Operator, Approver}},
	ActionExchangeChallenge: {roles: []Role{Operator}},
	ActionExchangeAnswer:    {roles: []Role{Operator}},
	ActionExchangeProve:     {roles: []Role{Operator}},
	ActionExchangeApprove:   {roles: []Role{Approver}},
	ActionExchangeReject:    {roles: []Role{Operator, Approver}, reason: true, archived: true},
	ActionExchangeStage:     {roles: []Role{Operator}},
	ActionExchangeActivate:  {roles: []Role{Operator}},
	ActionExchangeRetire:    {roles: []Role{Operator}, reason: true, archived: true},
	ActionExchangeRevoke:    {roles: []Role{Operator, Approver}, reason: true, archived: true},

	ActionExchangeUndo:    {roles: []Role{Operator, Approver}, reason: true},
	ActionExchangeMigrate: {roles: []Role{Operator}},
	ActionExchangeDismiss: {roles: []Role{Approver}, reason: true},

	ActionKeyUnblock:     {roles: []Role{Operator, Approver}, reason: true},
	ActionRequestMake:    {roles: []Role{Administrator, Operator, Approver}},
	ActionRequestApprove: {roles: []Role{Approver}},
	ActionRequestReject:  {roles: []Role{Administrator, Operator, Approver}, reason: true},

	ActionRead: {roles: []Role{Administrator, Operator, Approver, Auditor}},

	ActionSelf:       {roles: []Role{Administrator, Operator, Approver, Auditor, Backup}},
	ActionTokenEnd:   {roles: []Role{Administrator, Operator, Approver, Auditor, Backup}},
	ActionTokenRenew: {roles: []Role{Administrator, Operator, Approver, Auditor, Backup}},

	ActionPersonAdd:     {roles: []Role{Administrator}},
	ActionPersonRevoke:  {roles: []Role{Administrator}, reason: true},
	ActionPersonToken:   {roles: []Role{Administrator}},
	ActionPersonRoles:   {roles: []Role{Administrator}},
	ActionPersonChange:  {roles: []Role{Administrator}},
	ActionProfileAdd:    {roles: []Role{Administrator, Operator}},
	ActionProfileChange: {roles: []Role{Administrator}, reason: true},
	ActionProfileRemove: {roles: []Role{Administrator, Operator}, reason: true},
	ActionRootKeySet:    {roles: []Role{Administrator, Operator}},
	ActionRootKeyRotate: {roles: []Role{Administrator}, reason: true},
	ActionBackup:        {roles: []Role{Administrator, Backup}},
	ActionRowsAccept:    {roles: []Role{Administrator}, reason: true},
	ActionAnchorsSet:    {roles: []Role{Administrator}, reason: true},
	ActionAuditAnchor:   {roles: []Role{Administrator, Operator, Auditor}},
	ActionNodeRemove:    {roles: []Role{Administrator, Operator}, reason: true},

	ActionRenewalOrder:    {roles: []Role{Operator}},
	ActionRenewalRollback: {roles: []Role{Operator}, reason: true},
	ActionRenewalHold:     {roles: []Role{Operator, Approver}, reason: true},
	ActionRenewalTold:     {roles: []Role{Operator}},
	ActionRenewalAsk:      {roles: []Role{Operator}},
	ActionRenewalMail:     {roles: []Role{Operator}},
	ActionRenewalPlan:     {roles: []Role{Operator}},
	ActionRenewalBegin:    {}, // programs only
	ActionRenewalAdvance:  {},

	ActionNoticeAck:    {roles: []Role{Operator}, reason: true},
	ActionNoticeLetter: {roles: []Role{Operator}},
	ActionNoticeArm:    {roles: []Role{Administrator, Operator}},
	ActionNoticeSend:   {roles: []Role{Operator}, archived: true},
	ActionNoticeBounce: {roles: []Role{Operator}, archived: true},
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
	if s.program != nil {
		return s.program.may(a)
	}
	if !slices.ContainsFunc(s.person.Roles, func(r Role) bool { return slices.Contains(p.roles, r) }) {
		return Refuse("%w: %s needs the role %s, and %s has %s",
			ErrForbidden, a, alternatives(p.roles), s.person.ID, alternatives(s.person.Roles))
	}
	return nil
}

// Actions returns all actions, in the order of their names.
func Actions() []Action { return slices.Sorted(maps.Keys(permissions)) }

// Listed joins texts by commas.
func Listed[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = string(text)
	}
	return strings.Join(texts, ", ")
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
