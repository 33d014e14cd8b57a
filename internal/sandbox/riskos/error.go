package riskos

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sealane/sealane/internal/sandbox"
)

// refusal is a plain error of the RiskOS stand-in. The codes invalid_phone,
// unsupported_schema, rate_limit and server_error are published as bodies with only
// "error", otp_invalid with a message; those bodies are sent as published. The other codes
// are guesses, and always have a message.
type refusal struct {
	Code    string `json:"error"`
	Message string `json:"message,omitempty"`
	status  int
	header  http.Header
}

func (e *refusal) Error() string { return e.Code + ": " + e.Message }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{Code: code, Message: fmt.Sprintf(format, args...), status: status}
}

func invalidRequest(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, "invalid_request", format, args...)
}

// published returns an error whose documented body is its code and nothing else.
func published(status int, code string) *refusal { return &refusal{Code: code, status: status} }

func writeRefusal(w http.ResponseWriter, err error) {
	var e *refusal
	switch {
	case errors.As(err, &e):
		for name, values := range e.header {
			w.Header()[name] = values
		}
		sandbox.WriteJSON(w, e.status, e)
	case errors.Is(err, sandbox.ErrTooLarge):
		sandbox.WriteJSON(w, http.StatusRequestEntityTooLarge, refuse(0, "request_too_large",
			"the body is over the limit: %d MiB for documents, %d MiB elsewhere; send less",
			docvLimit>>20, sandbox.BodyLimit>>20))
	default:
		sandbox.WriteJSON(w, http.StatusBadRequest, refuse(0, "invalid_request",
			"the body could not be read to its end; send it again"))
	}
}

// Unauthorized writes the answer to a request without a valid API key, for the layer that checks
// keys. The body is a guess.
func Unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	sandbox.WriteJSON(w, http.StatusUnauthorized, refuse(0, "unauthorized",
		"the API key is missing or not known here; send it as: Authorization: Bearer YOUR_API_KEY"))
}
