package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Those who act next in a renewal, if it is no person.
const (
	WaitsForSchedule = "the schedule"
	WaitsForNodes    = "nodes"
)

// renewing is a renewal with what its next step depends on.
type renewing struct {
	registry.Renewal
	tx    registry.Reader
	now   time.Time
	env   registry.Environment // the zero value for a pair that partners share
	prof  *profile.Profile
	offer registry.Offer         // ours: of the successor
	nodes []string               // that may lack the last change
	order *registry.RenewalOrder // its own or that of its campaign; nil: there is none that counts
	// lapsed: the order was given too long ago; appointed: both sides change at the same time
	lapsed, appointed bool
	// request is that of an order which waits for a second person; it may be empty.
	request string
	seen    bool                 // the successor was seen in use
	late    time.Time            // when the old one was last used since the successor is active; zero: it was not
	older   string               // theirs: a certificate that counts from before both; it may be empty
	after   registry.Certificate // of the successor, if there is one
}

// blocked reports whether the partner holds one certificate, and can't be told that it can replace it while an older
// one counts.
func (r *renewing) blocked() bool {
	return r.Mail == nil && r.Activated == 0 && !r.LoadedAt.IsZero() && !r.appointed && r.env.SlotsOf(r.prof) == 1
}

func (r *renewing) read(now time.Time) (err error) {
	if r.prof, err = registry.LoadProfile(r.tx, r.Profile); err != nil {
		return err
	}
	if r.Partner != "" {
		if r.env, err = r.tx.Environment(r.Partner, r.Environment); err != nil {
			return err
		}
	}
	if r.Successor != "" {
		id := r.Successor
		if IsKeyPair(id) {
			k, err := r.tx.KeyPair(id)
			if err != nil {
				return err
			}
			id = k.Certificate
		}
		if r.after, err = r.tx.Certificate(id); err != nil {
			return err
		}
	}
	if r.Owner == registry.Ours && r.Partner != "" {
		offers, err := r.tx.Offers(r.Partner)
		if err != nil {
			return err
		}
		r.offer = offerOf(offers, r.Successor)
	}
	if r.order, err = registry.OrderOf(r.tx, r.Renewal); err != nil {
		return err
	}
	if r.order != nil && r.Activated == 0 && r.order.Lapsed(now, r.Renewal) {
		r.order, r.lapsed = nil, true
	}
	if r.Partner != "" {
		if r.appointed, err = r.ByAppointment(r.tx); err != nil {
			return err
		}
	}
	if r.older, err = registry.Older(r.tx, r.Renewal); err != nil {
		return err
	}
	if r.Activated != 0 {
		uses, err := r.tx.KeyUsage(r.Replaces, r.Partner)
		if err != nil {
			return err
		}
		for _, u := range uses {
			if u.Last.After(r.ActivatedAt) && u.Last.After(r.late) {
				r.late = u.Last
			}
		}
	}
	if r.Step == registry.RenewalQuiet {
		if r.seen, err = registry.SeenInUse(r.tx, r.Renewal); err != nil {
			return err
		}
	}
	if record := max(r.Staged, r.Activated); record > 0 {
		r.nodes, err = registry.NodesWithout(r.tx, record, now)
	}
	return err
}

// act returns the advice to do an act in the renewal, or on a key of it.
func (r *renewing) act(a registry.Action, needs ...registry.Need) registry.Advice {
	return registry.Advice{Action: a, ID: r.ID, Partner: r.Partner, Environment: r.Environment, Needs: needs}
}

func (r *renewing) on(key string, a registry.Action, needs ...registry.Need) registry.Advice {
	advice := r.act(a, needs...)
	if advice.ID = key; IsKeyPair(key) && !r.shared(key) {
		advice.Partner = ""
	}
	return advice
}

// shared reports whether partners share a key pair of ours.
func (r *renewing) shared(pair string) bool {
	k, err := r.tx.KeyPair(pair)
	return err == nil && k.Partner == ""
}

func (r *renewing) next() Next {
	switch r.Step {
	case registry.RenewalDue, registry.RenewalAsked:
		return r.nextWithout()
	case registry.RenewalReceived, registry.RenewalMatched:
		return NextOf(r.after, r.env, r.prof)
	case registry.RenewalActive, registry.RenewalTold, registry.RenewalQuiet:
		return r.nextAfter()
	}
	return r.nextBefore()
}

// nextWithout is what comes next where there is no successor.
func (r *renewing) nextWithout() Next {
	switch {
	case r.Owner == registry.Ours && r.Partner == "":
		return Next{
			"make its successor, and offer it to each partner",
			registry.Advice{Action: registry.ActionKeyCreate, Environment: r.Environment}, WaitsForUs,
		}
	case r.Owner == registry.Ours:
		return Next{"offer its successor", offerAdvice(r.Partner, r.Environment), WaitsForUs}
	case r.Step == registry.RenewalDue:
		return Next{
			"ask for a certificate for a new key, and record that you have asked", r.act(registry.ActionRenewalAsk),
			WaitsForUs,
		}
	}
	return Next{
		"wait for the new certificate, and receive it", registry.Advice{
			Action: registry.ActionExchangeReceive, Partner: r.Partner, Environment: r.Environment,
		}, r.Partner,
	}
}

// nextBefore is what comes next before the successor is used.
func (r *renewing) nextBefore() Next {
	if keyIDNeeded(r.prof) && r.after.KeyID == "" && (r.Owner == registry.Theirs || !r.offer.At.IsZero()) {
		next := Next{"assign its key ID (alias)", r.on(r.Successor, registry.ActionExchangeAlias), WaitsForUs}
		if r.Owner == registry.Ours {
			next.Text, next.Waits = theyAssign, r.Partner
		}
		return next
	}
	said := r.Owner == registry.Theirs || !r.offer.Installed.IsZero() || !r.offer.Confirmed.IsZero()
	switch {
	case r.Partner == "" && r.order == nil:
		return Next{
			"offer its certificate to each partner, and order its activation for all of them",
			r.act(registry.ActionRenewalOrder, r.change()...), WaitsForUs,
		}
	case r.Partner == "":
		return Next{Text: "offer its certificate to each partner", Waits: WaitsForUs}
	case r.Owner == registry.Ours && r.offer.At.IsZero() && !said:
		return Next{"send its certificate", offerAdvice(r.Partner, r.Environment), WaitsForUs}
	case !said:
		return Next{
			"wait until the partner says that it is installed, and record that",
			r.on(r.Successor, registry.ActionKeyInstalled, r.word()...), r.Partner,
		}
	case r.Owner == registry.Theirs && r.Told == nil && r.keyIDIsNew():
		return Next{
			fmt.Sprintf("tell %s the new key ID %s, because the key has another size, and record that they know it",
				r.Partner, r.after.KeyID), r.act(registry.ActionRenewalTold), r.Partner,
		}
	case r.Mail != nil && r.Mail.Sent.IsZero():
		return r.nextMail()
	}
	return r.nextOrder()
}

// change is what an order needs in production.
func (r *renewing) change() []registry.Need {
	if registry.Production(r.Environment) {
		return []registry.Need{registry.Change}
	}
	return nil
}

// word is what the word of a partner needs in production.
func (r *renewing) word() []registry.Need {
	if registry.Production(r.Environment) {
		return []registry.Need{registry.Word}
	}
	return nil
}

// keyIDIsNew reports whether the successor of a partner's certificate has another size, whose key ID
// the partner must know.
func (r *renewing) keyIDIsNew() bool {
	if r.prof.Certificate.KeyIDFormat != cert.KeyIDSixPart {
		return false
	}
	before, err := r.tx.Certificate(r.Replaces)
	return err == nil && before.Bits != r.after.Bits
}

// nextOrder is what comes next where only the order to activate is missing, or waits.
func (r *renewing) nextOrder() Next {
	if r.order == nil {
		return r.nextToOrder()
	}
	text := "it is activated as soon as the environment's window allows"
	if !r.order.At.IsZero() {
		text = "it is activated at " + r.order.At.UTC().Format("2006-01-02 15:04 UTC")
	}
	text += ", as " + r.order.By + " has ordered"
	if len(r.nodes) > 0 {
		return Next{Text: text + ", and not before " + nodeList(r.nodes) + " has it", Waits: WaitsForNodes}
	}
	return Next{Text: text, Waits: WaitsForSchedule}
}

// nextToOrder is what comes next where nobody has ordered the activation, or nobody else has agreed.
func (r *renewing) nextToOrder() Next {
	two := r.env.ApprovalsNeeded() > 1
	if two && r.request != "" {
		return Next{
			"somebody else approves the order to activate it",
			registry.Advice{Action: registry.ActionRequestApprove, ID: r.request}, WaitsForSecond,
		}
	}
	if !two && r.Owner == registry.Theirs && !r.appointed {
		return Next{"put it to use", r.on(r.Successor, registry.ActionExchangeActivate), WaitsForUs}
	}
	advice := r.on(r.Successor, registry.ActionRenewalOrder, r.change()...)
	text := "order its activation"
	switch {
	case r.appointed:
		text = fmt.Sprintf("agree on a time with %s, who holds one certificate, and order its activation for it",
			r.Partner)
	case r.lapsed:
		text = "the time of its order has passed: order its activation again"
	}
	return Next{text, advice, WaitsForUs}
}

func nodeList(nodes []string) string {
	const most = 5
	more := ""
	if n := len(nodes) - most; n > 0 {
		nodes, more = nodes[:most], fmt.Sprintf(" and %d more", n)
	}
	return "node " + strings.Join(nodes, ", ") + more
}

func hasAddress(c registry.Contact) bool { return c.Email != "" }

func (r *renewing) nextMail() Next {
	if len(r.Mail.To) == 0 && !slices.ContainsFunc(r.env.Contacts, hasAddress) {
		return Next{
			"no contact has a mail address: name one, and tell them yourself that the new certificate counts",
			registry.Advice{Action: registry.ActionContactSet, Partner: r.Partner, Environment: r.Environment},
			WaitsForUs,
		}
	}
	return Next{"send the mail about it, and record that it was sent", r.act(registry.ActionRenewalMail), WaitsForUs}
}

// nextAfter is what comes next where the successor is used.
func (r *renewing) nextAfter() Next {
	switch {
	case r.Everywhere.IsZero() && len(r.nodes) > 0:
		return Next{Text: nodeList(r.nodes) + " may still use " + r.Replaces, Waits: WaitsForNodes}
	case r.Revoked != 0:
		return Next{Text: r.Replaces + " was revoked; the renewal ends when every node knows", Waits: WaitsForSchedule}
	case r.Owner == registry.Theirs && r.Mail == nil:
		text := "the mail that confirms it is planned soon; until then it can be rolled back"
		return Next{Text: text, Waits: WaitsForSchedule}
	case r.Owner == registry.Theirs && r.Mail.Sent.IsZero():
		return r.nextMail()
	case r.Step == registry.RenewalQuiet && !r.seen && r.Partner != "":
		return Next{
			fmt.Sprintf("nobody uses %s, but %s was not seen in use either: ask %s whether they use it, and retire "+
				"%s then", r.Replaces, r.Successor, r.Partner, r.Replaces),
			r.on(r.Replaces, r.retire(), registry.Reason), WaitsForUs,
		}
	case r.Step == registry.RenewalQuiet && r.env.Rotation.RetireAs() == registry.RetireDo && r.Partner != "":
		return Next{Text: r.Replaces + " is retired, because nobody uses it", Waits: WaitsForSchedule}
	case r.Step == registry.RenewalQuiet:
		return Next{
			"nobody uses " + r.Replaces + ": retire it", r.on(r.Replaces, r.retire(), registry.Reason), WaitsForUs,
		}
	}
	if due := r.after.Due(r.env.Rotation); !r.now.Before(due) { // no other renewal of the leg begins meanwhile
		return NextOfDue(r.Owner, r.Partner, r.Environment, due)
	}
	text := fmt.Sprintf("%s still counts until nobody uses it", r.Replaces)
	if !r.late.IsZero() {
		text += "; it was last used on " + r.late.Format(time.DateOnly)
	}
	return Next{Text: text, Waits: WaitsForNobody}
}

func (r *renewing) retire() registry.Action {
	if r.Owner == registry.Ours {
		return registry.ActionKeyRetire
	}
	return registry.ActionExchangeRetire
}
