package riskos

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/sandbox"
)

const maxNameBytes = 256 // identifiers and workflow names that are stored

// evaluationRequest holds what the stand-in reads from the body of POST and PATCH.
type evaluationRequest struct {
	has          map[string]bool // which of id, timestamp, workflow and data were sent
	id, workflow string
	otp          string          // data.otp.code
	individual   sandbox.Members // data.individual, or nil
	raw          json.RawMessage // the same as received, kept for the enrichment's echo
}

// parseEvaluation checks the members that are there; the caller checks for missing ones.
// Guesses: a wrong shape is unsupported_schema, and so is an X-API-Version that is not
// published.
func parseEvaluation(r *http.Request, body []byte) (evaluationRequest, error) {
	var q evaluationRequest
	unsupported := published(http.StatusUnprocessableEntity, "unsupported_schema")
	if v := r.Header.Get("X-API-Version"); v != "" && v != APIVersion {
		return q, unsupported
	}
	m, err := sandbox.ParseMembers(body)
	if errors.Is(err, sandbox.ErrNotJSON) {
		return q, invalidRequest("the body %v; send one object with id, timestamp, workflow and data", err)
	} else if err != nil {
		return q, unsupported
	}
	q.has = make(map[string]bool)
	for _, f := range []struct {
		name string
		into *string
	}{{"id", &q.id}, {"timestamp", nil}, {"workflow", &q.workflow}} {
		if !m.Has(f.name) {
			continue
		}
		text, ok := m.Text(f.name)
		switch {
		case !ok:
			return q, unsupported
		case text == "" || len(text) > maxNameBytes:
			return q, invalidRequest("member %s has %d bytes; 1 to %d are allowed", f.name, len(text), maxNameBytes)
		case f.into != nil:
			*f.into = text
		default:
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				return q, invalidRequest("timestamp %.40q is not RFC 3339; write it like 2026-01-02T15:04:05Z", text)
			}
		}
		q.has[f.name] = true
	}
	data, err := m.Object("data")
	if err != nil {
		return q, unsupported
	}
	q.has["data"] = data != nil
	if q.individual, err = data.Object("individual"); err != nil {
		return q, unsupported
	}
	otp, err := data.Object("otp")
	if err != nil {
		return q, unsupported
	}
	if _, err := q.individual.Object("address"); err != nil {
		return q, unsupported
	}
	q.otp = otp.Scalar("code")
	q.raw = data["individual"]
	if q.individual.Has("phone_number") && !phone(q.individual.Scalar("phone_number")) {
		return q, published(http.StatusBadRequest, "invalid_phone")
	}
	return q, nil
}

var (
	phoneDigits     = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{10,15})$`)
	phoneSeparators = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")
)

// phone accepts E.164, and ten to fifteen digits without a plus sign. What the service
// itself accepts is not public.
func phone(s string) bool { return phoneDigits.MatchString(phoneSeparators.Replace(s)) }
