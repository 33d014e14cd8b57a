package command

import (
	"cmp"
	"errors"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/operation"
)

// verbs returns the command for each act that an advice may name. Words such as PARTNER are
// placeholders for the caller's values.
var verbs = map[operation.Action]func(operation.Advice) string{
	operation.Receive.Action: func(a operation.Advice) string {
		return words("receive", cmp.Or(a.Partner, "PARTNER"), cmp.Or(a.Environment, "ENVIRONMENT"), "FILE")
	},
	operation.Checksum.Action: func(a operation.Advice) string { return words("checksum", a.ID, "SHA256") },
	operation.Approve.Action:  func(a operation.Advice) string { return words("approve", a.ID) },
	operation.Alias.Action:    func(a operation.Advice) string { return words("alias", a.ID, "KEYID") },
	operation.Activate.Action: func(a operation.Advice) string { return words("activate", a.ID) },
	operation.OrderActivation: func(a operation.Advice) string {
		if operation.IsKeyPair(a.ID) && a.Partner != "" { // that partners share
			return words("activate", a.ID, "--partner", a.Partner)
		}
		return words("activate", a.ID)
	},
	operation.Rollback.Action:  func(a operation.Advice) string { return words("rollback", a.ID, "--reason TEXT") },
	operation.Hold.Action:      func(a operation.Advice) string { return words("hold", a.ID, "--end --reason TEXT") },
	operation.KeyIDTold.Action: func(a operation.Advice) string { return words("told", a.ID, "--said TEXT") },
	operation.Asked.Action:     func(a operation.Advice) string { return words("ask", a.ID) },
	operation.ConfirmationSent.Action: func(a operation.Advice) string {
		return words("mail", a.ID, "--out FILE.eml")
	},
	operation.ApproveRequest.Action: func(a operation.Advice) string { return words("approve", a.ID) },
	operation.Challenge.Action:      func(a operation.Advice) string { return words("challenge", a.ID) },
	operation.Installed.Action: func(a operation.Advice) string {
		if a.Partner != "" {
			return words("installed", a.ID, "--partner", a.Partner)
		}
		return words("installed", a.ID)
	},
	operation.Offer.Action: func(a operation.Advice) string {
		return words("offer", a.Partner, a.Environment, "--out FOLDER")
	},
	operation.RestorePartner.Action: func(a operation.Advice) string { return words("partner restore", a.Partner) },
	operation.ArchivePartner.Action: func(a operation.Advice) string { return words("partner archive", a.Partner) },
	operation.Reject.Action:         func(a operation.Advice) string { return words("reject", a.ID) },
	operation.RevokeAPIKey.Action:   func(a operation.Advice) string { return words("partner apikey --revoke", a.ID) },
	operation.ChangeProfile.Action:  profileChangeVerb,
	operation.ConvertAPIKeys.Action: func(operation.Advice) string { return words("partner apikey --convert") },

	operation.Retire.Action: retireVerb,
	operation.RetireKey:     retireVerb,
	operation.UndoKey: func(a operation.Advice) string {
		if a.Partner != "" {
			return words("undo", a.ID, "--partner", a.Partner)
		}
		return words("undo", a.ID)
	},
	operation.Revoke.Action: func(a operation.Advice) string { return words("revoke", a.ID) },
	operation.SetContact.Action: func(a operation.Advice) string {
		return words("partner contact", a.Partner, a.Environment, "--email ADDRESS")
	},
	operation.IssueAPIKey.Action: func(a operation.Advice) string {
		return words("partner apikey", a.Partner, a.Environment, "--sealing required")
	},
	operation.CreateKey.Action: func(a operation.Advice) string {
		return words("key create --profile PROFILE --env", cmp.Or(a.Environment, "ENVIRONMENT"), "--renewal …")
	},
	operation.AddPerson.Action: func(operation.Advice) string {
		return words("person add NAME", "--role approver")
	},
	operation.SetAnchors.Action: func(operation.Advice) string {
		return words("audit anchors ADDRESS --reason TEXT")
	},
	operation.RotateRootKey.Action: func(operation.Advice) string {
		return words("rootkey rotate --to file:PATH --reason TEXT")
	},
	operation.LookAtNotices:      func(a operation.Advice) string { return words("notice why", a.ID) },
	operation.AnchorAudit.Action: func(operation.Advice) string { return words("audit anchor") },
	operation.BlockKeys.Action:   func(operation.Advice) string { return words("key block SHA256", "--reason TEXT") },
}

func profileChangeVerb(a operation.Advice) string {
	return words("profile change", cmp.Or(a.ID, "NAME"), "FILE", "--reason TEXT")
}

func retireVerb(a operation.Advice) string { return words("retire", a.ID) }

func words(all ...string) string {
	said := []string{"sealane"}
	for _, one := range all {
		if one != "" {
			said = append(said, one)
		}
	}
	return strings.Join(said, " ")
}

// needs returns the flag for each kind of need.
var needs = map[operation.NeedKind]func(value string) string{
	operation.NeedReason:   func(string) string { return "--reason TEXT" },
	operation.NeedLast:     func(string) string { return "--last" },
	operation.NeedChange:   func(string) string { return "--change REFERENCE" },
	operation.NeedCallBack: func(string) string { return "--call-back NAME --number NUMBER --read-back DIGITS" },
	operation.NeedGrant:    func(rule string) string { return "--grant " + rule },
	operation.NeedReplace:  func(id string) string { return "--replace " + id },
	operation.NeedAsIs:     func(string) string { return "--as-is" },
	operation.NeedPartner:  func(string) string { return "--partner PARTNER" },
	operation.NeedAgain:    func(string) string { return "--again" },
	operation.NeedRenewal:  func(string) string { return "--renewal" },
	operation.NeedRole:     func(role string) string { return "--role " + role },
	operation.NeedWord:     func(string) string { return "--said TEXT" },
	operation.NeedCancel:   func(string) string { return "--cancel" },
	operation.NeedRootKey:  func(string) string { return "--root-key, $SEALANE_ROOT_KEY" },
}

// flagsFor returns the flags that an act requires.
func flagsFor(a operation.Advice) string {
	var flags []string
	for _, need := range a.Needs {
		flags = append(flags, needs[need.Kind](need.Value))
	}
	return strings.Join(flags, " ")
}

// commandFor returns the command that an advice is about, or "".
func commandFor(a operation.Advice) string {
	verb := verbs[a.Action]
	if verb == nil {
		return ""
	}
	return strings.TrimSpace(verb(a) + " " + flagsFor(a))
}

// nextLines returns the next steps, with the command on a line of its own, so that it can
// be copied. All lines but the first begin with indent.
func nextLines(n operation.Next, indent string) string {
	text := n.Text
	if n.Advice.Action == "" && len(n.Advice.Needs) > 0 {
		text += " (" + flagsFor(n.Advice) + ")"
	}
	text = wrap(printable(text), indent)
	if command := commandFor(n.Advice); command != "" {
		text += "\n" + indent + printable(command)
	}
	return text
}

// advised returns the text of an error for people, with what the caller can do about it.
func advised(err error) string {
	text := err.Error()
	a := operation.AdviceIn(err)
	var pending *operation.PendingError
	var lacking *operation.NotLoadedError
	switch {
	case errors.As(err, &pending):
		return text + "\nNext: another person runs sealane approve " + pending.Request.ID
	case errors.As(err, &lacking):
		return text + "\nNext: look at them (sealane node list), and run this command again. One that is gone for " +
			"good: sealane node remove NODE --reason TEXT"
	case sealane.FaultOf(err) == fault.AlgSHA1:
		return text + " (--accept-rsa-oaep REASON)"
	case errors.Is(err, operation.ErrOtherRootKey), errors.Is(err, operation.ErrRootElsewhere):
		return text + " (--root-key, $SEALANE_ROOT_KEY)"
	case errors.Is(err, operation.ErrNoReport):
		return text + "\nIf it says that an address does not exist: sealane partner contact PARTNER ENVIRONMENT " +
			"--email ADDRESS"
	case errors.Is(err, operation.ErrRotating):
		return text + "\nNext: sealane rootkey rotate --to file:PATH --reason TEXT"
	case errors.Is(err, operation.ErrNoRootKey):
		return text + "; to make one: sealane rootkey create FILE"
	case a.Action != "":
		if command := commandFor(a); command != "" {
			return text + "\nNext: " + command
		}
	case len(a.Needs) > 0:
		return text + " (" + flagsFor(a) + ")"
	}
	return text
}
