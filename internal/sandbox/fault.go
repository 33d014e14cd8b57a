package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// FaultHeader asks a stand-in to misbehave in the answer to this one request.
// Its value is a name of ProviderFaults, or any code of malform.Codes.
const FaultHeader = "X-Sandbox-Fault"

// FaultName is one way to misbehave.
type FaultName struct{ Name, Effect string }

// ProviderFaults lists what the RiskOS stand-in can be asked for by name.
var ProviderFaults = []FaultName{
	{"not-supported", "400: Payload encryption is not supported for this api-key"},
	{"format", "400: Payload format is not supported"},
	{"not-jwe", "400: Encrypted payload is not in JWE format"},
	{"not-jws", "400: Signed payload is not in JWS format"},
	{"decryption", "400: Payload decryption failed"},
	{"signature", "400: Payload signature could not be verified"},
	{"sealing-failed", "500: processed, but the answer could not be sealed"},
	{"wrong-key", "the answer is encrypted to another key"},
	{"other-signer", "the answer is signed by another key"},
	{"sha1-oaep", "the answer's key is encrypted with RSA-OAEP (SHA-1)"},
	{"cut-tag", "the answer's authentication tag is cut"},
	{"unknown-key-id", "the answer names a key ID that nobody knows"},
	{"unsigned", "the answer is encrypted, but not signed"},
	{"unsealed", "the answer comes in clear"},
	{"swapped", "the answer is the one before, under the new identifier"},
	{"slow", "the answer comes late (slow=3s; default 1s)"},
	{"cut", "the connection is cut in the middle of the answer"},
}

// forged maps names to what package malform calls the fault.
var malformed = map[string]fault.Code{
	"wrong-key": fault.OpenKey, "other-signer": fault.SignatureWrong, "sha1-oaep": fault.AlgSHA1, "cut-tag": fault.OpenTagShort,
	"unknown-key-id": fault.KidUnknown.In(fault.JWE), "unsigned": fault.InnerNotSigned,
}

// maxDelay bounds what "slow" can be asked for.
const maxDelay = time.Minute

// stranger is a key that neither side knows.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// misbehave serves the request with a fault in the answer.
func (e *Endpoint) misbehave(w http.ResponseWriter, r *http.Request, name string) {
	name, value, _ := strings.Cut(name, "=")
	p := e.lane.Profile()
	if status, text, ok := p.ErrorRow(profile.Outcome(name)); ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(p.RenderError(uuid.NewString(), text))
		return
	}
	r, keeper := withKeeper(r)
	answer := newCapture()
	e.handler.ServeHTTP(answer, r)
	switch name {
	case "unsealed":
		answer.setBody(keeper.payload)
	case "swapped":
		e.swap(answer)
	case "slow":
		if !pause(r.Context(), value) {
			return
		}
	case "cut":
		cut(w, answer)
		return
	default:
		e.malformAnswer(answer, keeper.payload, name)
	}
	answer.sendTo(w)
}

// forgeAnswer seals the payload wrongly.
func (e *Endpoint) malformAnswer(answer *capture, payload []byte, name string) {
	if payload == nil || answer.status > 299 {
		return // it was refused before, which is the better answer
	}
	token, err := Malform(name, e.lane, e.signer, payload)
	if err != nil {
		answer.status = http.StatusBadRequest
		answer.setBody(fmt.Appendf(nil, `{"error":"unknown_fault","message":%q}`, err.Error()))
		return
	}
	e.replaceToken(answer, token)
}

// replaceToken puts another token into a sealed answer.
func (e *Endpoint) replaceToken(answer *capture, token []byte) {
	old, err := sealhttp.UnwrapToken(answer.body.Bytes(), e.lane.Outbound())
	if err == nil {
		answer.setBody(bytes.Replace(answer.body.Bytes(), old, token, 1))
	}
}

// swap puts the previous answer's token beside the new answer's identifier.
func (e *Endpoint) swap(answer *capture) {
	e.mu.Lock()
	previous := e.previous
	e.mu.Unlock()
	old, err := sealhttp.UnwrapToken(previous, e.lane.Outbound())
	if err != nil {
		answer.status = http.StatusConflict
		answer.setBody([]byte(`{"error":"no_previous_answer","message":"make a sealed call without a fault first"}`))
		return
	}
	e.replaceToken(answer, old)
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, value string) bool {
	delay, err := time.ParseDuration(value)
	if err != nil || delay < 0 {
		delay = time.Second // "slow" alone
	}
	timer := time.NewTimer(min(delay, maxDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut promises the whole answer and sends half of it.
func cut(w http.ResponseWriter, answer *capture) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(answer.body.Len()))
	w.WriteHeader(answer.status)
	w.Write(answer.body.Bytes()[:answer.body.Len()/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Malform seals a payload on a lane with a fault, by name or code. signer is the lane's active key of ours; it must
// be in memory where the lane signs.
func Malform(name string, lane *sealane.Lane, signer keyring.Private, payload []byte) ([]byte, error) {
	code, ok := malformed[name]
	if !ok {
		code = fault.Code(name)
	}
	other, err := stranger()
	if err != nil {
		return nil, err
	}
	material := malform.Material{Payload: payload, Other: other, Nested: lane.Outbound().Signed()}
	if recipient, ok := active(lane.Theirs()); ok {
		material.Recipient, material.RecipientID = recipient.Public, recipient.ID
	}
	if ours, ok := active(lane.Ours()); ok && signer != nil {
		material.SignerID = ours.ID
		material.Signer, _ = signer.(*rsa.PrivateKey)
	}
	if material.Recipient == nil || material.Nested && material.Signer == nil {
		return nil, fmt.Errorf("malform %s: the lane has no key in memory for it", name)
	}
	return malform.Make(code, material)
}

// active returns the key in use.
func active(keys []keyring.KeyInfo) (keyring.KeyInfo, bool) {
	i := slices.IndexFunc(keys, func(k keyring.KeyInfo) bool { return k.State == keyring.Active })
	if i < 0 {
		return keyring.KeyInfo{}, false
	}
	return keys[i], true
}
