package sealhttp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/profile"
)

// FuzzBody: the fast way to take a token out of a body and the strict one give
// the same message, or refuse for the same reason. It is in the package because
// the two ways are told apart only there.
func FuzzBody(f *testing.F) {
	key, other := testkey.Fixed(), testkey.RSA(f, "other", 2048)
	p, err := profile.Load("riskos")
	if err != nil {
		f.Fatal(err)
	}
	lane, err := sealane.New(sealane.Config{Profile: p, Side: sealane.Client, Ours: testkey.Ours(f, "k", key), Theirs: testkey.Theirs(f, "o", other)})
	if err != nil {
		f.Fatal(err)
	}
	partner, err := sealane.New(sealane.Config{Profile: p, Side: sealane.Server, Ours: testkey.Ours(f, "o", other), Theirs: testkey.Theirs(f, "k", key)})
	if err != nil {
		f.Fatal(err)
	}
	token, err := partner.Seal(f.Context(), []byte(`{"eval_id":"e-1"}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		`{"eval_id":"e-1","encrypted_response":"$"}`, `{"encrypted_response":"$"}`, ` {"encrypted_response" : "$" } `, `{"encrypted_response":"$","eval_id":"e-1"}`,
		`{"eval_id":"e-1","encrypted_response":"$","x":""}`, `{"encrypted_response":"","encrypted_response":"$"}`, `{"encrypted_response":"$"}}`, `{"x":"\"encrypted_response\":\"","encrypted_response":"$"}`,
		`{"encrypted_response" : "x","a\"encrypted_response":"$"}`, `{"encrypted_response" :"~","a\"encrypted_response":"$"}`, `{"a\\\\":"","encrypted_response":"$"}`,
		`{"x":{"encrypted_response":"$"}}`, `{"encrypted_response":"\u0065$"}`, `{"encrypted_response":"$`, `{"error":"x"}`, "{\"encrypted_response\":\"$\xff\"}", "{\"encrypted_response\":\"$\n\"}",
	} {
		f.Add([]byte(strings.Replace(body, "$", string(token), 1)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fast, fastBeside, fastErr := openBody(t.Context(), lane, body)
		var strict sealane.Message
		taken, beside, err := takeToken(body, lane.In().Body)
		if err == nil {
			strict, err = lane.Open(t.Context(), taken)
		}
		if (fastErr == nil) != (err == nil) || sealane.FaultOf(fastErr) != sealane.FaultOf(err) || sealane.OutcomeOf(fastErr) != sealane.OutcomeOf(err) {
			t.Fatalf("fast: %v\nstrict: %v", fastErr, err)
		}
		if err != nil {
			if fast != nil && !errors.Is(err, sealane.ErrFormat) {
				t.Error("a message beside an error")
			}
			return
		}
		if !bytes.Equal(fast.Payload(), strict.Payload()) || len(fastBeside) != len(beside) {
			t.Fatalf("fast: %q %v\nstrict: %q %v", fast.Payload(), fastBeside, strict.Payload(), beside)
		}
		for i, m := range beside {
			if m.Name != fastBeside[i].Name || !bytes.Equal(m.Value, fastBeside[i].Value) {
				t.Errorf("beside: %v, %v", m, fastBeside[i])
			}
		}
	})
}
