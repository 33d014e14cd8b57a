package demo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

const riskosEnv = "SANDBOX"

// riskosDemo is the customer's and the provider's side of RiskOS.
type riskosDemo struct {
	*report
	*servers
	dir      string
	program  string // how the user calls sealane
	profile  *profile.Profile
	us, them *company // the customer, the provider
	customer *party
	provider *party
	url      string
	keys     map[string]string // account name to API key
	wire     *wire
}

// runRiskOS runs the RiskOS half and gives commands to try against it.
func runRiskOS(r *report, s *servers, o Options) ([]string, error) {
	d := &riskosDemo{
		report: r, servers: s, dir: filepath.Join(o.Folder, "riskos"), program: o.Program,
		profile: loadProfile("riskos"), keys: map[string]string{}, wire: &wire{base: http.DefaultTransport},
	}
	r.part("RiskOS: a customer and a provider; JSON signed with RS256, encrypted with RSA-OAEP-256 and A256GCM")
	if err := d.exchange(); err != nil {
		return nil, err
	}
	if err := d.serve(); err != nil {
		return nil, err
	}
	if err := d.evaluations(); err != nil {
		return nil, err
	}
	if err := d.documents(); err != nil {
		return nil, err
	}
	r.part("RiskOS: every error of the seed's table, provoked")
	if err := d.tableErrors(); err != nil {
		return nil, err
	}
	r.part("RiskOS: answers that must not be believed")
	d.badAnswers()
	return d.hints()
}

func (d *riskosDemo) exchange() (err error) {
	if d.us, err = openCompany(d.servers, d.dir, "customer"); err != nil {
		return err
	}
	if d.them, err = openCompany(d.servers, d.dir, "provider"); err != nil {
		return err
	}
	if err := errors.Join(d.us.addPartner("provider", d.profile, sealane.ClientSide, riskosEnv), d.them.addPartner("customer", d.profile, sealane.ServerSide, riskosEnv)); err != nil {
		return err
	}
	if d.provider, err = makeParty(d.report, d.profile, d.dir, "provider", d.them, "", riskosEnv); err != nil {
		return err
	}
	if d.customer, err = makeParty(d.report, d.profile, d.dir, "customer", d.us, "provider", riskosEnv); err != nil {
		return err
	}
	for _, way := range []struct {
		from *party
		to   *company
		form string
	}{{d.customer, d.them, ".p7b"}, {d.provider, d.us, ".cer"}} {
		got, err := sendCertificate(d.report, d.profile, way.from, way.to, riskosEnv, way.form)
		if err != nil {
			return err
		}
		if err := way.to.operator.Activate(d.ctx, got.ID, ""); err != nil {
			return err
		}
		if err := way.from.company.operator.Confirmed(d.ctx, way.from.pair, way.to.name, "the partner has installed it"); err != nil {
			return err
		}
	}
	d.us.preflight(d.report, "provider", riskosEnv)
	return nil
}

// serve starts three accounts: one that is set up, one whose certificates were
// never exchanged, and one for which the provider's signing key is out of order.
func (d *riskosDemo) serve() error {
	agreed, err := d.them.lane("customer", riskosEnv)
	if err != nil {
		return err
	}
	var accounts []riskos.Account
	for _, a := range []struct {
		name   string
		signer keyring.Private
		theirs *keyring.Ring
	}{{"customer", d.provider.Key, agreed.Config().Theirs}, {"newcomer", d.provider.Key, nil}, {"unlucky", mute{d.provider.Key}, agreed.Config().Theirs}} {
		ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: d.provider.KeyID, Private: a.signer})
		if err != nil {
			return err
		}
		config := sealane.Config{Profile: d.profile, Side: sealane.ServerSide, Environment: riskosEnv, Partner: a.name, Sealing: sealane.SealingOptional, Ours: ours, Theirs: a.theirs}
		lane, err := sealane.New(config)
		if err != nil {
			return err
		}
		d.keys[a.name] = rand.Text()
		accounts = append(accounts, riskos.Account{Name: a.name, APIKey: d.keys[a.name], Lane: lane})
	}
	provider, err := riskos.NewProvider(accounts, func() http.Handler { return &riskos.Service{} }, d.log)
	if err != nil {
		return err
	}
	d.url, err = d.start(provider)
	return err
}

// mute is a key that opens, but whose store refuses to sign.
type mute struct{ keyring.Private }

func (mute) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key's store refuses to sign")
}

// lane is the customer's, as its registry gives it, to be changed by change.
func (d *riskosDemo) lane(change func(*sealane.Config)) (*sealane.Lane, error) {
	lane, err := d.us.lane("provider", riskosEnv)
	if err != nil || change == nil {
		return lane, err
	}
	config := lane.Config()
	change(&config)
	return sealane.New(config)
}

// call is one request of the customer's application, which sees plain JSON only.
type call struct {
	method, path string
	body         []byte
	account      string // default "customer"
	fault        string
	plain        bool
	change       func(*sealane.Config)
	spoil        func([]byte) []byte
}

func (d *riskosDemo) send(n *notes, c call) (answer map[string]json.RawMessage, err error) {
	lane, err := d.lane(c.change)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	if c.plain {
		ctx = sealhttp.WithPlain(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, c.method, d.url+c.path, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	if c.account == "" {
		c.account = "customer"
	}
	r.Header.Set("Authorization", "Bearer "+d.keys[c.account])
	r.Header.Set("Content-Type", "application/json")
	if c.fault != "" {
		r.Header.Set(sandbox.FaultHeader, c.fault)
	}
	d.wire.spoil = c.spoil
	client := http.Client{Transport: &sealhttp.Transport{Lane: lane, Base: d.wire}}
	got, err := client.Do(r)
	d.wire.note(n)
	if err != nil {
		return nil, errors.Unwrap(err) // without the URL, which is in the note
	}
	defer got.Body.Close()
	payload, err := io.ReadAll(io.LimitReader(got.Body, maxBody))
	if err != nil {
		return nil, err
	}
	message, sealed := sealhttp.MessageOf(got)
	if sealed == c.plain {
		return nil, fmt.Errorf("the answer's being sealed is %t", sealed)
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, err
	}
	if verified, ok := message.(*sealane.Verified); ok {
		n.add("payload: %s bytes out, %s bytes back, signed by key %s", termtext.Count(len(c.body)), termtext.Count(len(payload)), cert.ThumbprintJWK(verified.Signer().Public))
	}
	return answer, nil
}

func evaluation(id, family string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"timestamp":%q,"workflow":"consumer_onboarding","data":{"individual":{"given_name":"Demo","family_name":%q,"national_id":"123-45-6789","date_of_birth":"1980-01-02","email":"demo@example.com","address":{"country":"US"}}}}`,
		id, time.Now().UTC().Format(time.RFC3339), family)
}

// text gives a string member of an answer.
func text(answer map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(answer[name], &s) != nil {
		return ""
	}
	return s
}

// want checks string members of an answer.
func want(n *notes, answer map[string]json.RawMessage, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		got := text(answer, pairs[i])
		n.add("%s: %s", pairs[i], got)
		if got != pairs[i+1] {
			return fmt.Errorf("%s is %q, not %q", pairs[i], got, pairs[i+1])
		}
	}
	return nil
}

func (d *riskosDemo) evaluations() error {
	d.part("RiskOS: evaluations")
	if err := os.WriteFile(filepath.Join(d.dir, "evaluation.json"), evaluation("try-1", "Accept"), 0o644); err != nil {
		return err
	}
	decide := func(name string, c call, pairs ...string) {
		d.step(name, func(n *notes) error {
			answer, err := d.send(n, c)
			if err != nil {
				return err
			}
			return want(n, answer, pairs...)
		})
	}
	decide("a plain evaluation, without the header", call{method: "POST", path: "/api/evaluation", body: evaluation("demo-1", "Accept"), plain: true}, "decision", "ACCEPT")
	decide("a sealed evaluation", call{method: "POST", path: "/api/evaluation", body: evaluation("demo-2", "Accept")}, "decision", "ACCEPT", "id", "demo-2")
	decide("a sealed evaluation, rejected", call{method: "POST", path: "/api/evaluation", body: evaluation("demo-3", "Reject")}, "decision", "REJECT")
	decide("a sealed evaluation with a version of the workflow", call{method: "POST", path: "/api/evaluation/2.1", body: evaluation("demo-4", "Accept")}, "workflow_version", "2.1")
	var id string
	d.step("a sealed evaluation that is paused for a passcode", func(n *notes) error {
		answer, err := d.send(n, call{method: "POST", path: "/api/evaluation", body: evaluation("demo-5", "Review")})
		if err != nil {
			return err
		}
		id = text(answer, "eval_id")
		return want(n, answer, "eval_status", "evaluation_paused")
	})
	decide("the paused evaluation completed by PATCH", call{method: "PATCH", path: "/api/evaluation/" + id, body: []byte(`{"data":{"otp":{"code":"` + riskos.TestOTP + `"}}}`)},
		"eval_status", "evaluation_completed", "decision", "ACCEPT", "eval_id", id)
	return nil
}

func (d *riskosDemo) documents() error {
	d.part("RiskOS: documents")
	file := filepath.Join(d.dir, "front.png")
	var picture []byte
	d.step("the customer makes an image file", func(n *notes) (err error) {
		if picture, err = noise(1300, 1300); err != nil {
			return err
		}
		n.add("%s, %s bytes", relative(d.dir, file), termtext.Count(len(picture)))
		return os.WriteFile(file, picture, 0o644)
	})
	upload := func(side string, data []byte) []byte {
		return fmt.Appendf(nil, `{"id":"doc-1","document_type":"passport",%q:{"content_type":"image/png","data":%q}}`, side, base64.StdEncoding.EncodeToString(data))
	}
	var token string
	d.step("its sealed upload", func(n *notes) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		answer, err := d.send(n, call{method: "POST", path: "/api/docv/upload", body: upload("front", data)})
		if err != nil {
			return err
		}
		token = text(answer, "docv_transaction_token")
		return reference(n, answer)
	})
	d.step("a selfie added by PATCH, sealed", func(n *notes) error {
		selfie, err := noise(200, 200)
		if err != nil {
			return err
		}
		answer, err := d.send(n, call{method: "PATCH", path: "/api/docv/upload/" + token, body: upload("selfie", selfie)})
		if err != nil {
			return err
		}
		return reference(n, answer)
	})
	return nil
}

func reference(n *notes, answer map[string]json.RawMessage) error {
	n.add("docv_previous_reference_id: %s", text(answer, "docv_previous_reference_id"))
	if text(answer, "docv_previous_reference_id") == "" {
		return errors.New("the answer has no docv_previous_reference_id")
	}
	return nil
}

// noise is a PNG that does not compress.
func noise(width, height int) ([]byte, error) {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	rand.Read(picture.Pix)
	for i := 3; i < len(picture.Pix); i += 4 {
		picture.Pix[i] = 0xff
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}
