package sealhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/framing"
	"github.com/sealane/sealane/profile"
)

// openResponse returns the response with its payload as the body, or the error that it
// stands for.
func (t *Transport) openResponse(
	lane *sealane.Lane, response *http.Response, to requestInfo, held *reservation,
) (*http.Response, error) {
	path := to.endpoint.Path()
	if err := refuseStatus(lane, response, to.endpoint); err != nil {
		closeBody(response.Body)
		return nil, unusable(response, path, err)
	}
	response.Header = response.Header.Clone()
	dropHopByHop(response.Header)
	if !hasBody(response) {
		return response, nil
	}
	sealed, b := lane.Inbound().Sealed(), buffer{held: held}
	err := readBody(&b, response.Body, response.ContentLength, lane.MaxToken()+spare)
	closeBody(response.Body)
	body := b.data
	var read *sealane.Error
	if errors.As(err, &read) && read.Fault == fault.BodyUnreadable {
		return nil, unusable(
			response,
			path,
			fmt.Errorf("the response was cut: %w", read.Err),
		) // the format is not at fault
	}
	if err != nil {
		return nil, unusable(response, path, inLane(lane, err))
	}
	if success(response.StatusCode) && !sealed {
		if framing.Unframed(response) && !framing.Whole(body) {
			return nil, unusable(response, path, errors.New("the response was cut: "+notWhole))
		}
		setBody(response, body)
		return response, nil
	}
	if !sealed {
		return plainResponse(lane, response, path, body, nil)
	}
	message, siblings, err := t.Hooks.openHeld(response.Request.Context(), lane, &b)
	if errors.Is(err, sealane.ErrFormat) {
		return plainResponse(lane, response, path, body, err)
	}
	if err != nil {
		return nil, unusable(response, path, err)
	}
	if err := to.bind(lane, siblings, message.Payload()); err != nil {
		return nil, unusable(response, path, err)
	}
	b.drop()
	dropHeaders(response.Header)
	response.Header.Set("Content-Type", "application/json")
	setBody(response, message.Payload())
	response.Request = response.Request.WithContext(withMessage(response.Request.Context(), message))
	return response, nil
}

// refuseStatus returns the error for a response that cannot be signed, and that a client
// must not take for a response of the partner.
func refuseStatus(lane *sealane.Lane, response *http.Response, endpoint profile.Match) error {
	status := response.StatusCode
	refuse := func(f fault.Code, detail string) error {
		return failure(lane, sealane.OpReadResponse, sealane.ErrNotSealed, f, detail)
	}
	switch {
	case status < 200: // 101: what follows is not a response to a sealed request
		return refuse(fault.AnswerNotSealed, "")
	case status >= 300 && status <= 399 && status != http.StatusNotModified:
		return refuse(fault.AnswerRedirects, redirectedTo(response, endpoint))
	case lane.Inbound().Sealed() && !hasBody(response) && !endpoint.Bodyless():
		return refuse(fault.AnswerWithoutBody, fmt.Sprintf("status %d has no body", status))
	}
	return nil
}

// plainResponse handles a response without a token: an error of the table, another
// unencrypted error, or a response that should have been sealed.
func plainResponse(
	lane *sealane.Lane,
	response *http.Response,
	path string,
	body []byte,
	noToken error,
) (*http.Response, error) {
	if success(response.StatusCode) {
		return nil, unusable(response, path, notSealed(lane, response, body, noToken))
	}
	on, id, text, ok := lane.Profile().RecognizeError(response.StatusCode, body)
	if ok && on != "" {
		return nil, &PartnerError{Method: response.Request.Method, Path: path,
			Status: response.StatusCode, Outcome: on, Text: text, ID: id}
	}
	if lane.Inbound().SealsErrors() {
		return nil, unusable(response, path, notSealed(lane, response, body, noToken))
	}
	setBody(response, body)
	return response, nil
}

// notSealed reports that a response is not sealed. It says what the body is, if somebody else than
// the partner seems to have written it. Otherwise it keeps the text of noToken but not its
// outcome: an unsealed response does not mean that the partner finds our format wrong.
func notSealed(lane *sealane.Lane, response *http.Response, body []byte, noToken error) error {
	e := failure(lane, sealane.OpReadResponse, sealane.ErrNotSealed, fault.AnswerNotSealed, "")
	var reason *sealane.Error
	if what := strangeBody(response.Header, body); what != "" {
		e.Err = errors.New(what)
	} else if errors.As(noToken, &reason) {
		e.Err = errors.New(strings.TrimSpace(reason.Fault.Meaning() + " " + reason.Detail))
	}
	return e
}

// hasBody reports whether a response of this kind has a body.
func hasBody(response *http.Response) bool {
	return bodyAllowed(response.StatusCode) && response.Request.Method != http.MethodHead
}

func success(status int) bool { return status >= 200 && status <= 299 }

func setBody(response *http.Response, body []byte) {
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Length", fmt.Sprint(len(body)))
	response.TransferEncoding, response.Trailer = nil, nil
}

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}
