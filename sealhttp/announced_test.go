package sealhttp_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
)

// TestTriggerOff: the value that means "not sealed" is accepted in any case.
func TestTriggerOff(t *testing.T) {
	for _, value := range []string{"false", "False", "FALSE"} {
		var got bool
		s := provider(t, reached(t, &got), optional)
		answer, body := raw(t, s.URL+"/api/evaluation", `{}`, "X-Payload-Encrypted", value)
		if answer.StatusCode != 200 || !got {
			t.Errorf("%s: %d %s", value, answer.StatusCode, body)
		}
	}
}

// TestAnnouncedElsewhere: a request that is announced as sealed, on an endpoint without
// sealing, does not reach the service, even on a lane that accepts and lists unsealed ones.
func TestAnnouncedElsewhere(t *testing.T) {
	sealed := wrapped(t, customer(t), `{}`)
	for name, change := range map[string]func(*sealane.Config){
		"required": func(*sealane.Config) {},
		"optional": optional,
		"listed":   func(c *sealane.Config) { c.PlainEndpoints = []string{"POST /api/other"} },
	} {
		var got bool
		s := provider(t, reached(t, &got), change)
		answer, _ := raw(t, s.URL+"/api/other", sealed, "X-Payload-Encrypted", "true")
		if log := s.logged(); answer.StatusCode != 400 || got || !strings.Contains(log, "fault=http.endpoint") {
			t.Errorf("%s: %d, reached %t, log: %s", name, answer.StatusCode, got, log)
		}
	}
}

// TestMediaTypes: none, an empty one, and each that the profile lists.
func TestMediaTypes(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	p.Request.Body.Accept = []string{"application/jose+json", "text/json"}
	for contentType, status := range map[string]int{
		"": 200, "application/json": 200, "APPLICATION/JSON": 200, "application/jose+json": 200,
		"text/json; charset=UTF-8": 200, "text/json;charset=us-ascii": 200,
		"text/plain": 400, "application/jose": 400, "json": 400,
		"text/json;charset=latin1": 400, "application/json, text/json": 400,
	} {
		s := provider(t, echo, func(c *sealane.Config) { c.Profile = p })
		answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), `{}`),
			"X-Payload-Encrypted", "true", "Content-Type", contentType)
		if answer.StatusCode != status {
			t.Errorf("%q: %d %s", contentType, answer.StatusCode, body)
		}
	}
}
