package profile

import (
	"errors"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/alg"
)

var (
	keyUsages = []string{"digitalSignature", "keyEncipherment"} // of new certificates
	wordForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func oneOf[S ~string](what, value string, list []S) error {
	if slices.Contains(list, S(value)) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %q", what, value, list)
}

func eachOf(what string, values, list []string) error {
	for _, v := range values {
		if err := oneOf(what, v, list); err != nil {
			return err
		}
	}
	return nil
}

func (p *Profile) check() error {
	if !wordForm.MatchString(p.Name) {
		return errors.New("name must be 1 to 64 letters, digits, dots, dashes")
	}
	if p.Title == "" || p.Parties.Client == "" || p.Parties.Server == "" {
		return errors.New("title, parties.client and parties.server are required")
	}
	if len(p.Environments) == 0 ||
		slices.ContainsFunc(p.Environments, func(e string) bool { return !wordForm.MatchString(e) }) {
		return errors.New("environments must list at least one name of letters, digits, dots, dashes")
	}
	if err := p.checkEndpoints(); err != nil {
		return err
	}
	if t := p.Trigger; t != nil && (t.Header == "" || t.Value == "") {
		return errors.New("trigger needs a header and a value")
	}
	if !p.Request.Sealed() {
		return errors.New("request.encrypt is missing: requests must be encrypted")
	}
	for name, direction := range map[string]*Direction{"request": &p.Request, "response": &p.Response} {
		if err := direction.check(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if p.Request.UpstreamErrors != "" {
		return errors.New("request.upstream_errors: only the response has it")
	}
	if p.Response.Sealed() {
		if err := oneOf(
			"response.upstream_errors",
			p.Response.UpstreamErrors,
			[]string{"plain", "sealed"},
		); err != nil {
			return err
		}
	}
	if err := errors.Join(p.Errors.check(), p.checkOutcomes()); err != nil {
		return err
	}
	return p.checkKeys()
}

// checkOutcomes checks that there is a row for every outcome that can occur.
func (p *Profile) checkOutcomes() error {
	due := []Outcome{NotSupported, PlainRefused, TooLarge, Format, NotJWE, Decryption, Unavailable}
	if p.Request.Sign != nil {
		due = append(due, NotJWS, Signature)
	}
	if p.Response.Sealed() {
		due = append(due, SealingFailed)
	}
	for _, on := range due {
		if _, ok := p.Errors.Row(on); !ok {
			return fmt.Errorf("errors.table has no row for %q", on)
		}
	}
	return nil
}

func (p *Profile) checkEndpoints() error {
	if len(p.Endpoints) == 0 {
		return errors.New("endpoints must list at least one")
	}
	for _, e := range p.Endpoints {
		if e.Method == "" || e.Method != strings.ToUpper(e.Method) {
			return fmt.Errorf("endpoint %q: method %q is not in capitals", e.Path, e.Method)
		}
		if e.Path != Any && !strings.HasPrefix(e.Path, "/") {
			return fmt.Errorf("endpoint %q: path must begin with a slash or be %q", e.Path, Any)
		}
		for _, b := range e.Bind {
			if !strings.Contains(e.Path, "{"+b+"}") {
				return fmt.Errorf("endpoint %q: bind %q is not a variable of its path", e.Path, b)
			}
		}
		if e.Identifier != "" && !slices.Contains(p.Response.Body.Accompanying, e.Identifier) {
			return fmt.Errorf(
				"endpoint %q: identifier %q is not among response.body.accompanying",
				e.Path,
				e.Identifier,
			)
		}
	}
	return nil
}

func (l *Direction) check() error {
	if l.Sign != nil && l.Encrypt == nil {
		return errors.New("sign without encrypt is not supported")
	}
	if _, _, err := mime.ParseMediaType(l.Body.ContentType); err != nil {
		return fmt.Errorf("body.content_type %q: %w", l.Body.ContentType, err)
	}
	for _, a := range l.Body.Accept {
		if _, _, err := mime.ParseMediaType(a); err != nil {
			return fmt.Errorf("body.accept %q: %w", a, err)
		}
	}
	if !l.Sealed() {
		if l.Body.Field != "" || l.UpstreamErrors != "" {
			return errors.New("a plain direction has neither body.field nor upstream_errors")
		}
		return nil
	}
	if l.Body.Field == "" && (len(l.Body.Accompanying) > 0 || l.Body.Others != "") {
		return errors.New("body.accompanying and body.others need body.field")
	}
	if l.Body.Field != "" {
		if err := oneOf("body.others", l.Body.Others, []string{"refuse", "ignore"}); err != nil {
			return err
		}
	}
	if l.Sign != nil {
		if err := l.Sign.check(alg.Signatures.Names(), alg.Signatures.Names()); err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		if l.Sign.Enc.Seal != "" || len(l.Sign.Enc.Open) > 0 {
			return errors.New("sign: a JWS has no enc")
		}
	}
	if err := l.Encrypt.check(sealingAlgorithms(), alg.KeyEncryptions.Names()); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	contents := alg.Contents.Names()
	return errors.Join(
		oneOf("encrypt.enc.seal", l.Encrypt.Enc.Seal, contents),
		eachOf("encrypt.enc.open", l.Encrypt.Enc.Open, contents),
	)
}

// sealingAlgorithms lists the key encryptions that messages are sealed with.
func sealingAlgorithms() []string {
	var names []string
	for _, k := range alg.KeyEncryptions {
		if !k.OpenOnly {
			names = append(names, k.Name)
		}
	}
	return names
}

func (l *Protection) check(seal, open []string) error {
	if len(l.Alg.Open) == 0 {
		return errors.New("alg.open must list at least one algorithm")
	}
	if err := errors.Join(oneOf("alg.seal", l.Alg.Seal, seal), eachOf("alg.open", l.Alg.Open, open),
		eachOf("alg.lane_may_add", l.Alg.LaneMayAdd, open)); err != nil {
		return err
	}
	if l.Kid.Seal != "" && l.Kid.Seal != KeyID {
		return fmt.Errorf("kid.seal: %q is not %q", l.Kid.Seal, KeyID)
	}
	if err := eachOf("kid.open", l.Kid.Open, []string{Absent, Any, Known}); err != nil {
		return err
	}
	for name, m := range map[string]HeaderParam{"kid": l.Kid, "typ": l.Typ, "cty": l.Cty} {
		if len(m.Open) == 0 {
			return fmt.Errorf("%s.open must list at least one value, %q or %q", name, Absent, Any)
		}
	}
	return nil
}

func (p *Profile) checkKeys() error {
	if err := oneOf("keys.one_pair_per", p.Keys.OnePairPer, []string{"account", "environment"}); err != nil {
		return err
	}
	if len(p.Keys.Usage) == 0 {
		return errors.New("keys.usage must list at least one usage")
	}
	if err := eachOf("keys.usage", p.Keys.Usage, keyUsages); err != nil {
		return err
	}
	if err := p.Certificate.Validate(); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if !slices.Contains(p.Certificate.Bits, p.Keys.Bits) {
		return fmt.Errorf("keys.bits %d is not among certificate.bits %v", p.Keys.Bits, p.Certificate.Bits)
	}
	return nil
}
