package demo

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/termtext"
)

// evaluation returns a request for an evaluation of a person with that family name,
// on which the decision depends.
func evaluation(id, familyName string) []byte {
	const request = `{"id":%q,"timestamp":%q,"workflow":"consumer_onboarding","data":{"individual":{` +
		`"given_name":"Demo","family_name":%q,"national_id":"123-45-6789","date_of_birth":"1980-01-02",` +
		`"email":"demo@example.com","address":{"country":"US"}}}}`
	return fmt.Appendf(nil, request, id, time.Now().UTC().Format(time.RFC3339), familyName)
}

// evaluate returns the call for an evaluation.
func evaluate(id, familyName string) call {
	return call{method: "POST", path: "/api/evaluation", payload: evaluation(id, familyName)}
}

// members are the string members that an answer must have.
type members map[string]string

// check writes the members of an answer under a step, and compares them.
func (m members) check(n *notes, answer map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		got := text(answer, name)
		n.add("%s: %s", name, got)
		if got != m[name] {
			return fmt.Errorf("%s is %q, not %q", name, got, m[name])
		}
	}
	return nil
}

// text returns a string member of an answer, or an empty string.
func text(answer map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(answer[name], &s) != nil {
		return ""
	}
	return s
}

func (d *riskosDemo) evaluations() error {
	d.part("RiskOS: evaluations")
	err := os.WriteFile(filepath.Join(d.folder, evaluationFile), evaluation("try-1", "Accept"), 0o644)
	if err != nil {
		return err
	}
	plain := evaluate("demo-1", "Accept")
	plain.plain = true
	d.decide("a plain evaluation, without the header", plain, members{"decision": "ACCEPT"})
	d.decide("a sealed evaluation", evaluate("demo-2", "Accept"), members{"decision": "ACCEPT", "id": "demo-2"})
	d.decide("a sealed evaluation, rejected", evaluate("demo-3", "Reject"), members{"decision": "REJECT"})
	versioned := evaluate("demo-4", "Accept")
	versioned.path += "/2.1"
	d.decide("a sealed evaluation with a version of the workflow", versioned, members{"workflow_version": "2.1"})

	paused := d.decide("a sealed evaluation that is paused for a passcode", evaluate("demo-5", "Review"),
		members{"eval_status": "evaluation_paused"})
	id := text(paused, "eval_id")
	passcode := call{method: "PATCH", path: "/api/evaluation/" + id}
	passcode.payload = []byte(`{"data":{"otp":{"code":"` + riskos.TestOTP + `"}}}`)
	d.decide("the paused evaluation completed by PATCH", passcode,
		members{"eval_status": "evaluation_completed", "decision": "ACCEPT", "eval_id": id})
	return nil
}

// decide is a step: a call whose answer has certain members.
func (d *riskosDemo) decide(name string, c call, want members) (answer map[string]json.RawMessage) {
	d.step(name, func(n *notes) (err error) {
		if answer, err = d.send(n, c); err != nil {
			return err
		}
		return want.check(n, answer)
	})
	return answer
}

func (d *riskosDemo) documents() {
	d.part("RiskOS: documents")
	file := filepath.Join(d.folder, "front.png")
	d.step("the customer makes an image file", func(n *notes) error {
		picture, err := noise(1300, 1300)
		if err != nil {
			return err
		}
		n.add("%s, %s bytes", d.relative(file), termtext.Count(len(picture)))
		return os.WriteFile(file, picture, 0o644)
	})
	var token string
	d.step("its sealed upload", func(n *notes) error {
		picture, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		answer, err := d.upload(n, call{method: "POST", path: "/api/docv/upload", payload: document("front", picture)})
		token = text(answer, "docv_transaction_token")
		return err
	})
	d.step("a selfie added by PATCH, sealed", func(n *notes) error {
		picture, err := noise(200, 200)
		if err != nil {
			return err
		}
		path := "/api/docv/upload/" + token
		_, err = d.upload(n, call{method: "PATCH", path: path, payload: document("selfie", picture)})
		return err
	})
}

// document returns a request that uploads one image.
func document(side string, image []byte) []byte {
	const request = `{"id":"doc-1","document_type":"passport",%q:{"content_type":"image/png","data":%q}}`
	return fmt.Appendf(nil, request, side, base64.StdEncoding.EncodeToString(image))
}

// upload makes a call and checks that the answer has a reference.
func (d *riskosDemo) upload(n *notes, c call) (map[string]json.RawMessage, error) {
	const name = "docv_previous_reference_id"
	answer, err := d.send(n, c)
	if err != nil {
		return nil, err
	}
	n.add("%s: %s", name, text(answer, name))
	if text(answer, name) == "" {
		return nil, fmt.Errorf("the answer has no %s", name)
	}
	return answer, nil
}

// noise returns a PNG image that does not compress.
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
