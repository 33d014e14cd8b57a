package riskos

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sealane/sealane/internal/sandbox"
)

// evaluation is the answer of the evaluation endpoints, in the published order of members,
// and its state. Guesses: notes is a string, score is an integer up to 100, times have
// milliseconds, and what has not happened yet is null.
type evaluation struct {
	ID              string       `json:"id"`
	EvalID          string       `json:"eval_id"`
	Workflow        string       `json:"workflow"`
	WorkflowID      string       `json:"workflow_id"`
	WorkflowVersion string       `json:"workflow_version"`
	EvalSource      string       `json:"eval_source"`
	EvalStatus      string       `json:"eval_status"`
	EvalStartTime   string       `json:"eval_start_time"`
	EvalEndTime     *string      `json:"eval_end_time"`
	Decision        string       `json:"decision"`
	DecisionAt      string       `json:"decision_at"`
	Status          string       `json:"status"`
	SubStatus       string       `json:"sub_status"`
	Score           int          `json:"score"`
	Tags            []string     `json:"tags"`
	Notes           string       `json:"notes"`
	ReviewQueues    []string     `json:"review_queues"`
	DataEnrichments []enrichment `json:"data_enrichments"`
	EnvironmentName string       `json:"environment_name"`

	step string // what a paused evaluation waits for
}

type enrichment struct {
	Name          string          `json:"enrichment_name"`
	Endpoint      string          `json:"enrichment_endpoint"`
	Provider      string          `json:"enrichment_provider"`
	StatusCode    int             `json:"status_code"`
	Request       json.RawMessage `json:"request"`
	Response      any             `json:"response"`
	IsSourceCache bool            `json:"is_source_cache"`
	TotalAttempts int             `json:"total_attempts"`
}

const (
	evalPaused    = "evaluation_paused"
	evalCompleted = "evaluation_completed"
)

func (s *Service) create(w http.ResponseWriter, r *http.Request) {
	body, err := sandbox.ReadBody(w, r, sandbox.BodyLimit)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	status, answer, err := s.evaluate(r, body)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	sandbox.WriteJSON(w, status, answer)
}

func (s *Service) evaluate(r *http.Request, body []byte) (int, *evaluation, error) {
	q, err := parseEvaluation(r, body)
	if err != nil {
		return 0, nil, err
	}
	for _, name := range []string{"id", "timestamp", "workflow", "data"} {
		if !q.has[name] {
			return 0, nil, invalidRequest("member %s is missing; id, timestamp, workflow and data are required", name)
		}
	}
	if len(s.Workflows) > 0 && !slices.Contains(s.Workflows, q.workflow) {
		return 0, nil, refuse(http.StatusNotFound, "workflow_not_found",
			"workflow %q does not exist in this account; it has %q", q.workflow, s.Workflows)
	}
	version := r.PathValue("version")
	if len(version) > maxNameBytes {
		return 0, nil, invalidRequest("the version in the path is longer than %d bytes", maxNameBytes)
	}
	now := sandbox.Clock(s.Now).Now()
	v, err := decide(q.individual, now)
	if err != nil {
		return 0, nil, err
	}
	e := s.begin(q, version, v, now)

	s.mu.Lock()
	defer s.mu.Unlock()
	kept := cmp.Or(s.MaxEvaluations, sandbox.DefaultEntries)
	if earlier, ok := s.latest.Get(q.id); ok {
		e.Tags = append(e.Tags, "re_run")
		e.Notes += fmt.Sprintf("; re-run of id %q, whose previous evaluation is %s", q.id, earlier)
	}
	s.latest.Put(q.id, e.EvalID, len(q.id), kept, sandbox.DefaultBytes)
	s.evaluations.Put(e.EvalID, e, len(q.raw), kept, cmp.Or(s.MaxBytes, sandbox.DefaultBytes))
	if v.step == StepDocument {
		token := uuid.NewString()
		s.awaiting.Put(token, e.EvalID, len(token), kept, sandbox.DefaultBytes)
		e.DataEnrichments = append(e.DataEnrichments, s.documentRequest(token))
	}
	if e.EvalStatus == evalPaused {
		return http.StatusCreated, e.snapshot(), nil
	}
	return http.StatusOK, e.snapshot(), nil
}

// begin makes the evaluation for a verdict, without storing it.
func (s *Service) begin(q evaluationRequest, version string, v verdict, now time.Time) *evaluation {
	if version == "" {
		version = "1.0.0" // a guess: the version that is live
	}
	e := &evaluation{
		ID: q.id, EvalID: uuid.NewString(),
		Workflow: q.workflow, WorkflowID: workflowID(q.workflow), WorkflowVersion: version,
		EvalSource: "API", EvalStatus: evalPaused, EvalStartTime: sandbox.Timestamp(now),
		Decision: v.decision, DecisionAt: sandbox.Timestamp(now),
		Status: "ON_HOLD", SubStatus: "Pending Verification", Score: 50,
		Tags: []string{}, Notes: v.why, ReviewQueues: []string{}, EnvironmentName: "Sandbox",
		DataEnrichments: []enrichment{{
			Name: "Identity Check", Endpoint: "/sandbox/identity", Provider: "SandboxIdentity",
			Request: q.raw, Response: map[string]string{"decision": v.decision, "because": v.why},
			StatusCode: http.StatusOK, TotalAttempts: 1,
		}},
		step: v.step,
	}
	switch v.step {
	case "":
		e.complete(v.decision, now)
	case StepOTP:
		e.DataEnrichments = append(e.DataEnrichments, enrichment{
			Name: "One-Time Passcode", Endpoint: "/sandbox/otp", Provider: "SandboxOTP", StatusCode: http.StatusOK,
			Response: map[string]string{"status": "sent"}, TotalAttempts: 1,
		})
	}
	return e
}

func workflowID(name string) string {
	return uuid.NewHash(sha256.New(), uuid.NameSpaceURL, []byte("workflow:"+name), 8).String()
}

// documentRequest is the step-up that asks for documents. A guess: its members are in
// response.data. qrCode is a data URI with the page's address as text, because the standard
// library has no QR codes.
func (s *Service) documentRequest(token string) enrichment {
	page := s.CaptureURL
	if page == "" {
		page = "https://capture.invalid/"
	}
	page += token
	return enrichment{
		Name: "Document Request", Endpoint: "/sandbox/documents/request", Provider: "SocureDocRequest",
		Response: map[string]any{
			"referenceId": uuid.NewString(),
			"data": map[string]string{
				"docvTransactionToken": token,
				"url":                  page,
				"qrCode":               "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(page)),
			},
		},
		StatusCode: http.StatusOK, TotalAttempts: 1,
	}
}

func (e *evaluation) complete(decision string, now time.Time) {
	end := sandbox.Timestamp(now)
	e.EvalStatus, e.EvalEndTime = evalCompleted, &end
	e.Decision, e.DecisionAt = decision, end
	e.Status, e.step = "CLOSED", ""
	e.SubStatus, e.Score = "Accept", 10
	if decision == Reject {
		e.SubStatus, e.Score = "Reject", 95
	}
}

// snapshot may be encoded after the lock is released: later steps replace values and never
// change them in place.
func (e *evaluation) snapshot() *evaluation {
	c := *e
	return &c
}

func (s *Service) read(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	e, ok := s.evaluations.Get(r.PathValue("eval_id"))
	if ok {
		e = e.snapshot()
	}
	s.mu.Unlock()
	if !ok {
		writeRefusal(w, unknownEvaluation(r.PathValue("eval_id")))
		return
	}
	sandbox.WriteJSON(w, http.StatusOK, e)
}

func (s *Service) resume(w http.ResponseWriter, r *http.Request) {
	body, err := sandbox.ReadBody(w, r, sandbox.BodyLimit)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	e, err := s.goOn(r, body)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	sandbox.WriteJSON(w, http.StatusOK, e)
}

// goOn accepts the form of POST, whose id must then be the evaluation's, or {"data":{…}}
// alone.
func (s *Service) goOn(r *http.Request, body []byte) (*evaluation, error) {
	q, err := parseEvaluation(r, body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.evaluations.Get(r.PathValue("eval_id"))
	switch {
	case !ok:
		return nil, unknownEvaluation(r.PathValue("eval_id"))
	case q.has["id"] && q.id != e.ID:
		return nil, invalidRequest("id is %q, but evaluation %s has another; send its own, or data alone",
			q.id, e.EvalID)
	case e.EvalStatus != evalPaused:
		return nil, refuse(http.StatusBadRequest, "evaluation_completed",
			"evaluation %s is completed and cannot change; POST a new one", e.EvalID)
	case !q.has["data"]:
		return nil, invalidRequest("member data is missing; a paused evaluation needs data to continue")
	case e.step == StepDocument:
		return nil, refuse(http.StatusBadRequest, "documents_missing",
			"evaluation %s waits for documents: upload front and selfie to /api/docv/upload "+
				"under its docvTransactionToken", e.EvalID)
	}
	if q.otp == "" {
		return nil, refuse(http.StatusBadRequest, "otp_invalid",
			"data.otp.code is missing; evaluation %s waits for it", e.EvalID)
	}
	if subtle.ConstantTimeCompare([]byte(q.otp), []byte(TestOTP)) != 1 {
		return nil, refuse(http.StatusBadRequest, "otp_invalid",
			"data.otp.code is not the code that was sent; try again")
	}
	e.complete(Accept, sandbox.Clock(s.Now).Now())
	e.Notes += "; one-time passcode confirmed"
	return e.snapshot(), nil
}

func unknownEvaluation(id string) error {
	return refuse(http.StatusNotFound, "evaluation_not_found",
		"evaluation %.40q is not known here; it may be of another account, or dropped", id)
}
