package riskos

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image"
	_ "image/jpeg" // the two formats that an upload may hold
	_ "image/png"
	"maps"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/sealane/sealane/internal/sandbox"
)

const docvLimit = 32 << 20 // bytes of a body with documents

// The bodies of the DocV endpoints are not public; all of this is a guess. A request is one JSON
// object:
//
//	{"id": "…", "docv_transaction_token": "…", "document_type": "license",
//	 "front": {"content_type": "image/png", "data": "<base64>"}, "back": {…}, "selfie": {…}}
//
// Only one image is required. POST without a token begins an upload of its own; with the
// docvTransactionToken of a paused evaluation it begins the one that the evaluation waits for,
// which is accepted as soon as front and selfie are there. Each image is decoded as far as its
// format and size; the bytes are not kept.
var imageSides = []string{"front", "back", "selfie"}

// upload is the answer of both endpoints. It has no eval_id: the identifier of a sealed
// DocV answer is docv_previous_reference_id, and with two identifiers a reader might
// compare the wrong one. The status is complete with front and selfie.
type upload struct {
	ID           string               `json:"id,omitempty"`
	Token        string               `json:"docv_transaction_token"`
	ReferenceID  string               `json:"docv_previous_reference_id"` // fresh in every answer
	Status       string               `json:"status"`                     // incomplete or complete
	DocumentType string               `json:"document_type,omitempty"`
	UploadedAt   string               `json:"uploaded_at"`
	Images       map[string]imageFact `json:"images"`
}

type imageFact struct {
	ContentType string `json:"content_type"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Bytes       int    `json:"bytes"`
	SHA256      string `json:"sha256"`
}

func (s *Service) createUpload(w http.ResponseWriter, r *http.Request) { s.upload(w, r, "") }

func (s *Service) amendUpload(w http.ResponseWriter, r *http.Request) {
	s.upload(w, r, r.PathValue("docv_transaction_token"))
}

// upload begins an upload if known is empty, and otherwise adds to the one with that token.
func (s *Service) upload(w http.ResponseWriter, r *http.Request, known string) {
	body, err := sandbox.ReadBody(w, r, docvLimit)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	sent, err := parseUpload(body)
	if err == nil {
		if known == "" {
			sent, err = s.beginUpload(sent)
		} else {
			sent, err = s.addToUpload(known, sent)
		}
	}
	if err != nil {
		writeRefusal(w, err)
		return
	}
	sandbox.WriteJSON(w, http.StatusOK, sent)
}

func (s *Service) beginUpload(u upload) (upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Token == "" {
		u.Token = uuid.NewString()
	} else if _, ok := s.uploads.Get(u.Token); ok {
		return u, invalidRequest("docv_transaction_token %.40q has an upload already; "+
			"PATCH /api/docv/upload/{docv_transaction_token} adds to it", u.Token)
	} else if _, ok := s.awaiting.Get(u.Token); !ok {
		return u, unknownToken(u.Token)
	}
	return s.keepUpload(u), nil
}

func (s *Service) addToUpload(token string, u upload) (upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	had, ok := s.uploads.Get(token)
	switch {
	case !ok:
		return u, unknownToken(token)
	case u.Token != "" && u.Token != token:
		return u, invalidRequest("docv_transaction_token in the body is not the one in the path; " +
			"leave it out of the body")
	case u.ID != "" && had.ID != "" && u.ID != had.ID:
		return u, invalidRequest("id is %q, but the upload has another; send its own, or none", u.ID)
	}
	next := *had
	next.Images = maps.Clone(had.Images)
	maps.Copy(next.Images, u.Images)
	if u.ID != "" {
		next.ID = u.ID
	}
	if u.DocumentType != "" {
		next.DocumentType = u.DocumentType
	}
	return s.keepUpload(next), nil
}

// keepUpload stores a version of an upload. If the upload is complete, it also stores the
// decision of the evaluation that waited for it.
func (s *Service) keepUpload(u upload) upload {
	now := sandbox.Clock(s.Now).Now()
	u.ReferenceID, u.UploadedAt, u.Status = uuid.NewString(), sandbox.Timestamp(now), "incomplete"
	evalID, _ := s.awaiting.Get(u.Token)
	e, waiting := s.evaluations.Get(evalID)
	if waiting && u.ID == "" {
		u.ID = e.ID
	}
	_, front := u.Images["front"]
	_, selfie := u.Images["selfie"]
	if front && selfie {
		u.Status = "complete"
		if waiting && e.EvalStatus == evalPaused {
			e.complete(Accept, now)
			e.Notes += "; documents received"
		}
	}
	s.uploads.Put(u.Token, &u, 0, cmp.Or(s.MaxUploads, sandbox.DefaultEntries), sandbox.DefaultBytes)
	return u
}

func unknownToken(token string) error {
	return refuse(http.StatusNotFound, "docv_transaction_token_not_found",
		"docv_transaction_token %.40q is not known here; POST /api/docv/upload without one begins an upload", token)
}

func parseUpload(body []byte) (upload, error) {
	m, err := sandbox.ParseMembers(body)
	if err != nil {
		return upload{}, invalidRequest("the body %v; send one object with front, back or selfie", err)
	}
	u := upload{Images: make(map[string]imageFact)}
	for name, into := range map[string]*string{
		"id": &u.ID, "docv_transaction_token": &u.Token, "document_type": &u.DocumentType,
	} {
		if !m.Has(name) {
			continue
		}
		text, ok := m.Text(name)
		if !ok || text == "" || len(text) > maxNameBytes {
			return u, invalidRequest("member %s is not a string of 1 to %d bytes", name, maxNameBytes)
		}
		*into = text
	}
	for _, side := range imageSides {
		o, err := m.Object(side)
		if err != nil {
			return u, invalidRequest("%v; send {\"content_type\":\"image/png\",\"data\":\"<base64>\"}", err)
		}
		if o == nil {
			continue
		}
		fact, err := readImage(side, o)
		if err != nil {
			return u, err
		}
		u.Images[side] = fact
	}
	if len(u.Images) == 0 {
		return u, invalidRequest("no image; send at least one of front, back and selfie")
	}
	return u, nil
}

func readImage(side string, o sandbox.Members) (imageFact, error) {
	invalid := func(format string, args ...any) error {
		return refuse(http.StatusBadRequest, "invalid_image", side+": "+format, args...)
	}
	encoded, ok := o.Text("data")
	switch {
	case !ok || encoded == "":
		return imageFact{}, invalid("member data is missing, empty or not a string; send the image in base64")
	case strings.HasPrefix(encoded, "data:"):
		return imageFact{}, invalid("data is a data URI; send only what follows its comma")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return imageFact{}, invalid("data is not base64 (RFC 4648 section 4, with padding): %v", err)
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || format != "png" && format != "jpeg" {
		return imageFact{}, invalid("data has %d bytes that are neither image/png nor image/jpeg; "+
			"send one of these", len(b))
	}
	found := "image/" + format
	if declared, ok := o.Text("content_type"); o.Has("content_type") && (!ok || !strings.EqualFold(declared, found)) {
		return imageFact{}, invalid("content_type is %.40q, but data is %s; "+
			"make them agree, or leave content_type out", declared, found)
	}
	sum := sha256.Sum256(b)
	return imageFact{found, c.Width, c.Height, len(b), hex.EncodeToString(sum[:])}, nil
}
