package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrForbidden says that somebody may not do this. Its text says who may.
var ErrForbidden = errors.New("not allowed")

// permissions says who may do what. What is not here nobody may do.
var permissions = map[string][]Role{
	"partner.add": {Operator}, "partner.export": {Operator},
	"environment.add": {Operator}, "environment.change": {Operator}, "contact.set": {Operator}, "contact.remove": {Operator},
	"apikey.issue": {Operator}, "apikey.revoke": {Operator, Approver},
	"key.create": {Operator}, "key.import": {Operator}, "key.export": {Operator}, "key.activate": {Operator}, "key.retire": {Operator}, "key.destroy": {Operator},
	"key.compromised": {Operator, Approver}, "key.block": {Operator, Approver},
	"exchange.offer": {Operator}, "exchange.alias": {Operator}, "exchange.receive": {Operator}, "exchange.alarm": {Operator},
	"exchange.confirm": {Operator}, "exchange.challenge": {Operator}, "exchange.prove": {Operator},
	"exchange.approve": {Approver}, "exchange.reject": {Operator, Approver}, "exchange.compromised": {Operator, Approver}, "exchange.retire": {Operator},
	"exchange.mismatch": {Operator}, "exchange.answer": {Operator}, "exchange.stage": {Operator}, "exchange.activate": {Operator},
	"person.add": {Administrator}, "person.revoke": {Administrator}, "person.token": {Administrator}, "person.roles": {Administrator},
	"rootkey.set": {Administrator, Operator}, "rootkey.rotate": {Administrator}, "profile.add": {Administrator, Operator}, "profile.change": {Administrator},
	"backup": {Administrator},
}

// reasons are the actions that ask why: they end something, or loosen a rule.
var reasons = []string{"apikey.revoke", "key.export", "key.retire", "key.destroy", "key.compromised", "key.block", "exchange.reject", "exchange.retire",
	"exchange.compromised", "person.revoke", "rootkey.rotate", "profile.change"}

// May says what keeps the person from an action. Change asks it itself.
func (s *Session) May(action string) error {
	allowed, known := permissions[action]
	if !known {
		return fmt.Errorf("%w: nobody may %s", ErrForbidden, action)
	}
	if !slices.ContainsFunc(s.person.Roles, func(r Role) bool { return slices.Contains(allowed, r) }) {
		return fmt.Errorf("%w: %s needs the role %s, and %s has %s", ErrForbidden, action, words(allowed), s.person.ID, words(s.person.Roles))
	}
	return nil
}

func words[T ~string](list []T) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = string(r)
	}
	return strings.Join(texts, " or ")
}
