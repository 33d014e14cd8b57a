package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Dismiss records that the open alarm about a partner's certificate, or a key pair of ours, is
// unfounded, for the session's reason. A key that was blocked by the alarm stays blocked for what
// comes in.
func (e Exchange) Dismiss(ctx context.Context, id string) error {
	if !IsKeyPair(id) {
		step := func(tx registry.Tx, c *registry.Certificate) error {
			if c.Alarm == nil || !c.State.InUse() {
				return registry.Refuse("there is no open alarm about certificate %s", c.ID)
			}
			c.Alarm = nil
			return tx.PutCertificate(c)
		}
		return e.changeTheirs(ctx, registry.ActionExchangeDismiss, id, step)
	}
	record := registry.Entry{Action: registry.ActionExchangeDismiss, Subject: "key/" + id}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = k.Partner, k.Environment, k
		if k.Alarm == nil || !k.State.InUse() {
			return registry.Refuse("there is no open alarm about key pair %s", k.ID)
		}
		k.Alarm = nil
		entry.After = k
		return tx.PutKeyPair(&k)
	})
}

// NextOfAlarm returns what comes next for a key with an open alarm.
func NextOfAlarm(a *registry.Alarm, id, partner, environment string) Next {
	return Next{
		alarmText(a) + "; call its owner, and revoke it, or dismiss the alarm",
		registry.Advice{
			Action: registry.ActionExchangeRevoke, ID: id, Partner: partner, Environment: environment,
			Needs: []registry.Need{registry.Reason},
		}, WaitsForUs,
	}
}

// alarmText says what an alarm is about.
func alarmText(a *registry.Alarm) string {
	doubt := "an alarm is open"
	if !a.Certain {
		doubt = "an alarm is open that may be about it"
	}
	return fmt.Sprintf("%s (%s, received by %s on %s)", doubt, a.What, a.By, a.At.Format(time.DateOnly))
}
