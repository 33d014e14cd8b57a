package operation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// recordedKey is what a record has of a certificate or key pair.
type recordedKey struct {
	State      registry.State  `json:"state"`
	KeyID      string          `json:"key_id"`
	CommonName string          `json:"common_name"`
	Serial     string          `json:"serial"`
	SHA256     string          `json:"sha256"`
	NotAfter   time.Time       `json:"not_after"`
	Alarm      *registry.Alarm `json:"alarm"`
	Exchange   struct {
		Name       string              `json:"name"`
		Format     string              `json:"format"`
		From       string              `json:"from"`
		FileSHA256 string              `json:"file_sha256"`
		Findings   []cert.Finding      `json:"findings"`
		Waivers    []registry.Waiver   `json:"waivers"`
		MatchedBy  string              `json:"matched_by"`
		Checksum   string              `json:"checksum"`
		MatchedAs  string              `json:"matched_as"`
		ApprovedBy string              `json:"approved_by"`
		ReceivedBy string              `json:"received_by"`
		Change     string              `json:"change"`
		CallBack   string              `json:"call_back"`
		Possession string              `json:"possession"`
		Rejected   string              `json:"rejected"`
		Mismatches []registry.Mismatch `json:"mismatches"`
	} `json:"exchange"`
}

// facts collects what a record says.
type facts struct{ lines []string }

// add adds a fact that there is.
func (f *facts) add(name, text string) {
	if text != "" {
		f.lines = append(f.lines, name+": "+text)
	}
}

// factsOfRecord returns the evidence in a record: of each row that it has stored.
func factsOfRecord(of audit.Record, partner string) []string {
	var f facts
	var after struct {
		Rows map[string]json.RawMessage `json:"rows"`
		Word string                     `json:"word"`
	}
	if json.Unmarshal(of.After, &after) != nil {
		return []string{"what the record has can't be read"}
	}
	f.add("their word", after.Word)
	for _, name := range slices.Sorted(maps.Keys(after.Rows)) {
		row := after.Rows[name]
		kind, id, _ := strings.Cut(name, "/")
		switch {
		case bytes.Equal(row, []byte("null")):
			f.add(name, "it is not there any more")
		case kind == "certificate" || kind == "key":
			f.key(registry.Action(of.Action), name, row)
		case kind == "renewal":
			f.renewal(of.Seq, id, partner, row)
		case kind == "offer":
			f.offer(name, partner, row)
		case kind == "request":
			f.request(id, row)
		case (kind == "environment" || kind == "partner") && strings.Split(id, "/")[0] == partner:
			f.changed(name, of.Before, row)
		case kind == "apikey":
			f.apiKey(name, row)
		case kind == "blocked":
			f.add(name, "the key is kept out from now on")
		}
	}
	return f.lines
}

// key adds what a record says of a certificate or key pair: the state, and the evidence of its step.
func (f *facts) key(action registry.Action, name string, row json.RawMessage) {
	var k recordedKey
	if json.Unmarshal(row, &k) != nil {
		f.add(name, "it can't be read")
		return
	}
	x := k.Exchange
	f.add(name, string(k.State))
	switch action {
	case registry.ActionExchangeReceive, registry.ActionExchangeMigrate, registry.ActionKeyCreate,
		registry.ActionKeyImport:
		f.add("common name", k.CommonName)
		f.add("serial number", k.Serial)
		f.add("SHA-256", k.SHA256)
		if !k.NotAfter.IsZero() {
			f.add("valid until", k.NotAfter.UTC().Format(time.RFC3339))
		}
		f.add("file", strings.TrimSpace(x.Name+" "+x.Format))
		f.add("SHA-256 of the file", x.FileSHA256)
		f.add("sender", x.From)
	case registry.ActionExchangeMatch:
		f.add("checksum of the second message", x.Checksum)
		f.add("it is", x.MatchedAs)
		f.add("compared by", x.MatchedBy)
	case registry.ActionExchangeApprove:
		f.add("received by", x.ReceivedBy)
		f.add("checksum compared by", x.MatchedBy)
		f.add("approved by", x.ApprovedBy)
		f.add("change", x.Change)
		f.add("call-back", x.CallBack)
	case registry.ActionExchangeReject:
		f.add("rejected because", x.Rejected)
	case registry.ActionExchangeMismatch:
		if n := len(x.Mismatches); n > 0 {
			f.add("it was not", x.Mismatches[n-1].What)
		}
	}
	if action == registry.ActionExchangeProve || action == registry.ActionExchangeApprove {
		f.add("possession of the private key", x.Possession)
	}
	if action == registry.ActionExchangeAlias {
		f.add("key ID", k.KeyID)
	}
	if k.Alarm != nil {
		f.add("alarm", k.Alarm.What)
	}
	if action == registry.ActionExchangeReceive || action == registry.ActionExchangeApprove {
		for _, w := range x.Waivers {
			f.add("waiver", waiverText(w))
		}
	}
}

func waiverText(w registry.Waiver) string {
	granted := "not granted yet"
	if w.Granted != "" {
		granted = "granted by " + w.Granted
	}
	return fmt.Sprintf("rule %s: %s; asked by %s, %s", w.Rule, w.Reason, w.Asked, granted)
}

// renewal adds the steps that a record is the evidence of, and who ordered, released, held or told.
func (f *facts) renewal(record int64, id, partner string, row json.RawMessage) {
	var n registry.Renewal
	if json.Unmarshal(row, &n) != nil || n.Partner != "" && n.Partner != partner {
		return
	}
	name := "renewal " + id
	f.add(name, fmt.Sprintf("%s → %s: %s", n.Replaces, orNone(n.Successor), n.Step))
	for _, e := range n.Evidence {
		if e.Record == record {
			f.add(name, strings.TrimSpace(fmt.Sprintf("%s by %s %s", e.Step, e.By, e.Text)))
		}
	}
	if o := n.Order; o != nil {
		text := "activation ordered by " + o.By
		if o.Released != "" {
			text += ", released by " + o.Released
		}
		if o.Change != "" {
			text += ", change " + o.Change
		}
		f.add(name, text)
	}
	if n.Hold != nil {
		f.add(name, "held by "+n.Hold.By+": "+n.Hold.Reason)
	}
	if a := n.Ack; a != nil {
		f.add(name, "notices acknowledged by "+a.By+" until "+a.Until.UTC().Format(time.RFC3339)+": "+a.Reason)
	}
	if n.Told != nil {
		f.add(name, "key ID "+n.Told.KeyID+" told: "+n.Told.Said)
	}
	if m := n.Mail; m != nil {
		text := "mail " + m.ID + " to " + strings.Join(m.To, ", ")
		if !m.Sent.IsZero() {
			text += ", sent " + m.Sent.UTC().Format(time.RFC3339) + " by " + m.SentBy
		}
		f.add(name, text)
	}
}

func orNone(id string) string {
	if id == "" {
		return "no successor yet"
	}
	return id
}

func (f *facts) offer(name, partner string, row json.RawMessage) {
	var o registry.Offer
	if json.Unmarshal(row, &o) != nil || o.Partner != partner {
		return
	}
	for _, at := range []struct {
		what string
		at   time.Time
	}{{"offered", o.At}, {"installed", o.Installed}, {"signs for this partner since", o.Confirmed}} {
		if !at.at.IsZero() {
			f.add(name, at.what+" "+at.at.UTC().Format(time.RFC3339))
		}
	}
	f.add("the partner's word", o.Said)
}

func (f *facts) request(id string, row json.RawMessage) {
	var r registry.Request
	if json.Unmarshal(row, &r) != nil {
		return
	}
	text := fmt.Sprintf("%s asks for %s of %s (%s): %s", r.By, r.Action, r.Subject, r.Why, r.State)
	if r.Decider != "" {
		text += ", decided by " + r.Decider
	}
	f.add("request "+id, text)
}

func (f *facts) apiKey(name string, row json.RawMessage) {
	var k struct {
		Label   string    `json:"label"`
		Sealing string    `json:"sealing"`
		Revoked time.Time `json:"revoked"`
	}
	if json.Unmarshal(row, &k) != nil {
		return
	}
	text := k.Label + ", sealing " + k.Sealing
	if !k.Revoked.IsZero() {
		text += ", revoked"
	}
	f.add("API key "+strings.TrimPrefix(name, "apikey/"), text)
}

// changed adds the members of a row that differ from those before the change.
func (f *facts) changed(name string, before, after json.RawMessage) {
	var was, is map[string]json.RawMessage
	_ = json.Unmarshal(before, &was) // a new row has none
	if json.Unmarshal(after, &is) != nil {
		return
	}
	members := slices.Sorted(maps.Keys(is))
	for member := range was {
		if _, still := is[member]; !still {
			members = append(members, member)
		}
	}
	for _, member := range members {
		if !bytes.Equal(was[member], is[member]) && member != "created" {
			f.add(name+" "+member, valueText(was[member])+" → "+valueText(is[member]))
		}
	}
}

// valueText returns a JSON value as a short text.
func valueText(value json.RawMessage) string {
	const most = 200
	var s string
	if json.Unmarshal(value, &s) != nil {
		s = string(value)
	}
	if s == "" {
		return "-"
	}
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
