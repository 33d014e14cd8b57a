package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// processed says what became of a request: it was not processed, or nobody knows.
type processed string

const (
	notProcessed     processed = "no"
	processedUnknown processed = "unknown"
)

// problem is an answer of the gateway to its own application, as RFC 9457 describes it.
type problem struct {
	kind      string // the last part of its type
	status    int
	title     string
	detail    string // for an operator; it holds no payload, key or token
	note      string // the detail where it holds nothing of the request, for the log
	fault     fault.Code
	processed processed
	proxy     string // an error type of RFC 9209
	retry     int    // seconds; 0: no Retry-After
}

func (p *problem) Error() string { return p.title + ": " + p.detail }

// problemType begins the type of each problem; it leads to the documentation.
const problemType = "https://github.com/sealane/sealane/blob/main/docs/gateway.md#"

// maxDetail is the length of the longest detail, in bytes.
const maxDetail = 1000

// The kinds of problems, in the order of docs/gateway.md.
const (
	kindRequest    = "request-refused"
	kindCaller     = "caller-refused"
	kindNotReady   = "not-ready"
	kindConnection = "no-connection"
	kindPartner    = "partner-refused"
	kindAnswer     = "answer-unusable"
	kindNoAnswer   = "no-answer"
	kindInternal   = "internal-error"
	kindMessage    = "message-refused"
)

var titles = map[string]string{
	kindRequest:    "The request was refused",
	kindCaller:     "The caller was refused",
	kindNotReady:   "The request can't be sealed at the moment",
	kindConnection: "The partner can't be reached",
	kindPartner:    "The partner refused the message",
	kindAnswer:     "The partner's answer can't be used",
	kindNoAnswer:   "No answer came in time",
	kindInternal:   "The gateway failed",
	kindMessage:    "The message was refused",
}

func newProblem(kind string, status int, proxy string, on processed, format string, args ...any) *problem {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
	}
	p := &problem{
		kind:      kind,
		status:    status,
		title:     titles[kind],
		detail:    detail,
		note:      detail,
		processed: on,
		proxy:     proxy,
	}
	for _, a := range args {
		if _, isText := a.(string); isText { // it may be of the request
			p.note = ""
		}
	}
	return p
}

// refusal is a problem of a request that breaks a rule of ours.
func refusal(status int, format string, args ...any) *problem {
	return newProblem(kindRequest, status, "http_request_denied", notProcessed, format, args...)
}

// judge returns the problem of an error on the way out. docs/gateway.md has the table.
func judge(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if refused, ok := errors.AsType[*sealhttp.PartnerError](err); ok {
		return judgePartner(refused)
	}
	text := err.Error()
	p := judgeOther(err, text)
	p.fault = sealane.FaultOf(err)
	return p
}

// judgePartner returns the problem of an error that the partner answered.
func judgePartner(e *sealhttp.PartnerError) *problem {
	p := newProblem(kindPartner, http.StatusBadGateway, "proxy_internal_response", notProcessed, "%s", e.Error())
	p.fault = fault.Code("partner." + string(e.Outcome))
	if errors.Is(e, sealane.ErrMayBeProcessed) {
		p.processed = processedUnknown
	}
	return p
}

func judgeOther(err error, text string) *problem {
	mayBe := errors.Is(err, sealane.ErrMayBeProcessed)
	sent, isSend := errors.AsType[*sendError](err)
	mayBe = mayBe || isSend && sent.begun
	on, hasOutcome := errors.AsType[profile.Outcome](err)
	switch {
	case mayBe && !hasOutcome && isTimeout(err):
		return newProblem(
			kindNoAnswer, http.StatusGatewayTimeout, "connection_read_timeout", processedUnknown, "%s", text,
		)
	case mayBe:
		return newProblem(
			kindAnswer, http.StatusBadGateway, answerError(err, hasOutcome), processedUnknown, "%s", text,
		)
	case hasOutcome:
		return judgeOutcome(on, text)
	case isSend:
		p := newProblem(kindConnection, http.StatusServiceUnavailable, connectError(err), notProcessed, "%s", text)
		p.retry = 5
		return p
	}
	return notReady(text)
}

// notReady is a problem of a request that can be sent again soon.
func notReady(text string) *problem {
	p := newProblem(kindNotReady, http.StatusServiceUnavailable, "proxy_internal_error", notProcessed, "%s", text)
	p.retry = 5
	return p
}

// judgeOutcome returns the problem of a request that was not sent.
func judgeOutcome(on profile.Outcome, text string) *problem {
	switch on {
	case sealane.ErrPlainRefused:
		return refusal(http.StatusForbidden, "%s", text)
	case sealane.ErrTooLarge:
		return refusal(http.StatusRequestEntityTooLarge, "%s", text)
	case sealane.ErrFormat, sealane.ErrNotSealed, sealane.ErrContradiction:
		return refusal(http.StatusBadRequest, "%s", text)
	}
	return notReady(text)
}

// answerError returns the error type of RFC 9209 for an answer that can't be used.
func answerError(err error, hasOutcome bool) string {
	switch {
	case hasOutcome:
		return "http_protocol_error"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection_terminated"
	}
	return "http_response_incomplete"
}

// connectError returns the error type of RFC 9209 for a connection that could not be made.
func connectError(err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, prohibited := errors.AsType[*prohibitedError](err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	switch {
	case isDNS && dns.IsTimeout:
		return "dns_timeout"
	case isDNS:
		return "dns_error"
	case prohibited:
		return "destination_ip_prohibited"
	case badCertificate || name:
		return "tls_certificate_error"
	case alert:
		return "tls_alert_received"
	case record:
		return "tls_protocol_error"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case isTimeout(err):
		return "connection_timeout"
	}
	return "destination_unavailable"
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter, id string) {
	body, err := json.Marshal(struct {
		Type   string     `json:"type"`
		Title  string     `json:"title"`
		Status int        `json:"status"`
		Detail string     `json:"detail"`
		ID     string     `json:"id"`
		Fault  fault.Code `json:"fault,omitempty"`
	}{problemType + p.kind, p.title, p.status, p.detail, id, p.fault})
	if err != nil {
		panic(err) // strings always marshal
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Proxy-Status", "sealane; error="+p.proxy)
	h.Set(headerProcessed, string(p.processed))
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retry))
	}
	w.WriteHeader(p.status)
	w.Write(body) // an error is the client's going away
}
