package inspect

import (
	"fmt"
	"reflect"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// side is a sealed direction of a profile. Without a profile it has the algorithms of the
// table.
type side struct {
	p    *profile.Profile // nil: no profile was given
	name string
	leg  *profile.Direction
}

var anyValue = profile.HeaderParam{Open: []string{profile.Absent, profile.Any}}

// legs lists the directions that a message can have.
func (x *examiner) legs() []side {
	var list []side
	for _, p := range x.o.Profiles {
		if p.Request.Sealed() {
			list = append(list, side{p, "request", &p.Request})
		}
		if p.Response.Sealed() {
			list = append(list, side{p, "response", &p.Response})
		}
	}
	return list
}

// ruling is the result of one side, rule by rule.
type ruling struct {
	side   side
	rules  []cert.Finding
	faults []finding // that only this side finds
	bad    int
	unlike int // how little the message resembles this side's
}

func (r *ruling) ok(name, found, wanted string) {
	r.rules = append(r.rules, cert.Finding{Name: name, Level: OK, Found: found, Wanted: wanted})
}

func (r *ruling) note(name, found, wanted, text string) {
	r.rules = append(r.rules, cert.Finding{Name: name, Level: Note, Found: found, Wanted: wanted, Remedy: text})
}

// breach records a fault that does not depend on the profile.
func (r *ruling) breach(name string, code fault.Code, found, wanted string) {
	r.rules = append(r.rules, cert.Finding{Name: name, Level: Bad, Code: string(code), Found: found, Wanted: wanted})
	r.bad++
	r.unlike++
}

// refuse records a fault against the profile. unlike weighs how unlikely it makes it that
// the message is meant for this profile.
func (r *ruling) refuse(name string, at step, code fault.Code, found, wanted, text string, unlike int) {
	r.rules = append(r.rules, cert.Finding{
		Name: name, Level: Bad, Code: string(code), Found: found, Wanted: wanted, Remedy: text,
	})
	r.bad++
	r.unlike += unlike
	where := name
	if r.side.p != nil {
		text = fmt.Sprintf("Found %s; %s asks for %s. %s", found, r.side.p.Name, wanted, text)
	}
	r.faults = append(r.faults, finding{
		Finding: cert.Finding{Code: string(code), Level: Bad, Name: where, Found: text, Remedy: code.Next()},
		step:    at,
	})
}

// judge compares the message with each profile. The one that it fits best decides which of
// the profiles' faults count.
func (x *examiner) judge() {
	if x.r.Kind == KindAnswer {
		return
	}
	var best *ruling
	for _, s := range x.sides() {
		r := x.rule(s)
		if s.p != nil {
			x.verdict(r)
		}
		if best == nil || r.better(best) {
			best = r
		}
	}
	for i := range x.findings {
		f := &x.findings[i]
		unsigned := best.side.p != nil && best.side.leg.Sign == nil
		if f.Level == Bad && (unsigned && f.step >= stepInner || best.side.p == nil && f.signedOnly) {
			f.Level, f.Remedy = Note, ""
		}
	}
	x.findings = append(x.findings, best.faults...)
}

func (r *ruling) better(than *ruling) bool {
	if (r.bad == 0) != (than.bad == 0) {
		return r.bad == 0
	}
	return r.unlike < than.unlike
}

// verdict adds a ruling to the report. Directions that agree, except for the member of a
// bare token, share one verdict.
func (x *examiner) verdict(r *ruling) {
	for i := range x.r.Profiles {
		v := &x.r.Profiles[i]
		if v.Profile != r.side.p.Name || len(v.Rules) != len(r.rules) {
			continue
		}
		first, other := &v.Rules[0], r.rules[0]
		agree := *first == other ||
			first.Name == "body" && other.Name == "body" && first.Level == Note && other.Level == Note
		if agree && reflect.DeepEqual(v.Rules[1:], r.rules[1:]) {
			v.Legs = append(v.Legs, r.side.name)
			if first.Wanted != other.Wanted {
				first.Wanted += " or " + other.Wanted
			}
			return
		}
	}
	x.r.Profiles = append(x.r.Profiles, Verdict{
		Profile: r.side.p.Name,
		Legs:    []string{r.side.name},
		Fits:    r.bad == 0,
		Rules:   r.rules,
	})
}

// rule applies one side's rules in the order of the strict reader.
func (x *examiner) rule(s side) *ruling {
	r := &ruling{side: s}
	x.ruleBody(r)
	if x.outer == nil && x.inner == nil {
		for _, f := range x.findings {
			if f.Level == Bad {
				r.breach("message", fault.Code(f.Code), "no readable token", "a compact JWE")
				break
			}
		}
		return r
	}
	x.ruleForm(r)
	if x.outer != nil {
		x.ruleLayer(r, x.outer, s.leg.Encrypt, 0)
		x.ruleLengths(r)
		x.ruleOpening(r)
	}
	x.ruleContent(r)
	if x.inner != nil && s.leg.Sign != nil {
		x.ruleLayer(r, x.inner, s.leg.Sign, stepInner)
		x.ruleSignature(r)
	}
	return r
}

// first returns the first fault of a range of steps, or "".
func (x *examiner) first(from, to step) fault.Code {
	var code fault.Code
	at := to + 1
	for _, f := range x.findings {
		if f.Level == Bad && f.step >= from && f.step <= to && f.step < at {
			code, at = fault.Code(f.Code), f.step
		}
	}
	return code
}
