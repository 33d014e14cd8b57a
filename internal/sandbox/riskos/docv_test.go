package riskos_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

// noisePNG is a real image that doesn't compress: four random bytes a pixel.
func noisePNG(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	seed := [32]byte{byte(width), byte(height)}
	if _, err := rand.NewChaCha8(seed).Read(m.Pix); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func smallJPEG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func smallGIF(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black}), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func imageJSON(contentType string, b []byte) string {
	return fmt.Sprintf(`{"content_type":%q,"data":%q}`, contentType, base64.StdEncoding.EncodeToString(b))
}

func fact(contentType string, width, height int, b []byte) map[string]any {
	sum := sha256.Sum256(b)
	n := func(i int) json.Number { return json.Number(fmt.Sprint(i)) }
	return map[string]any{"content_type": contentType, "width": n(width), "height": n(height), "bytes": n(len(b)),
		"sha256": hex.EncodeToString(sum[:])}
}

func TestDocVUpload(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	front, selfie := noisePNG(t, 1150, 1150), smallJPEG(t)
	if len(front) < 5<<20 {
		t.Fatalf("the image has %d bytes, want 5 MiB or more", len(front))
	}
	first := sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload",
		`{"id":"d-1","document_type":"license","front":`+imageJSON("image/png", front)+`}`)
	token := first.Text("docv_transaction_token")
	second := sandboxtest.Send(t, "PATCH", srv.URL+"/api/docv/upload/"+token,
		`{"selfie":`+imageJSON("image/jpeg", selfie)+`}`)

	want := func(status, reference string, images map[string]any) map[string]any {
		return map[string]any{"id": "d-1", "docv_transaction_token": token, "docv_previous_reference_id": reference,
			"status":        status,
			"document_type": "license", "uploaded_at": "2026-03-04T12:00:00.000Z", "images": images}
	}
	frontFact, selfieFact := fact("image/png", 1150, 1150, front), fact("image/jpeg", 30, 20, selfie)
	if d := cmp.Diff(want("incomplete", first.Text("docv_previous_reference_id"), map[string]any{"front": frontFact}),
		first.JSON); first.Status != 200 || d != "" {
		t.Errorf("POST: %d\n%s", first.Status, d)
	}
	if d := cmp.Diff(want("complete", second.Text("docv_previous_reference_id"),
		map[string]any{"front": frontFact, "selfie": selfieFact}), second.JSON); second.Status != 200 || d != "" {
		t.Errorf("PATCH: %d\n%s", second.Status, d)
	}
	if a, b := first.Text("docv_previous_reference_id"), second.Text("docv_previous_reference_id"); len(a) != 36 ||
		len(b) != 36 || a == b {
		t.Errorf("docv_previous_reference_id is %q, then %q", a, b)
	}
}

// documentToken returns the token that the step-up asks for, and checks url and qrCode.
func documentToken(t *testing.T, evaluation sandboxtest.Reply) string {
	t.Helper()
	var e struct {
		Enrichments []struct {
			Provider string `json:"enrichment_provider"`
			Response struct {
				Data struct {
					Token  string `json:"docvTransactionToken"`
					URL    string `json:"url"`
					QRCode string `json:"qrCode"`
				} `json:"data"`
			} `json:"response"`
		} `json:"data_enrichments"`
	}
	if err := json.Unmarshal([]byte(evaluation.Raw), &e); err != nil {
		t.Fatal(err)
	}
	for _, n := range e.Enrichments {
		if n.Provider != "SocureDocRequest" {
			continue
		}
		d := n.Response.Data
		if !strings.HasSuffix(d.URL, d.Token) ||
			d.QRCode != "data:text/plain;base64,"+base64.StdEncoding.EncodeToString([]byte(d.URL)) {
			t.Errorf("the document request leads nowhere: %+v", d)
		}
		return d.Token
	}
	t.Fatalf("no document request in %s", evaluation.Raw)
	return ""
}

func TestDocumentsCompleteAnEvaluation(t *testing.T) {
	clock := &sandboxtest.Clock{}
	srv := sandboxtest.Serve(t, &riskos.Service{Now: clock.Now, CaptureURL: "https://capture.example/"})
	paused := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
		evaluationOf("a-1", `{"given_name":"Document","family_name":"Review"}`))
	url := srv.URL + "/api/evaluation/" + paused.Text("eval_id")
	token := documentToken(t, paused)

	if got := sandboxtest.Send(t, "PATCH", url, `{"data":{"otp":{"code":"123456"}}}`); got.Status != 400 ||
		got.Text("error") != "documents_missing" {
		t.Errorf("PATCH before the documents: %d %s", got.Status, got.Raw)
	}
	first := sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload",
		fmt.Sprintf(`{"docv_transaction_token":%q,"front":%s}`, token, imageJSON("image/png", noisePNG(t, 9, 9))))
	if first.Status != 200 || first.Text("docv_transaction_token") != token || first.Text("id") != "a-1" {
		t.Fatalf("upload: %d %s", first.Status, first.Raw)
	}
	if got := sandboxtest.Send(t, "GET", url, ""); got.Text("eval_status") != "evaluation_paused" {
		t.Errorf("one image of two completed it: %s", got.Raw)
	}
	sandboxtest.Send(t, "PATCH", srv.URL+"/api/docv/upload/"+token,
		`{"selfie":`+imageJSON("image/jpeg", smallJPEG(t))+`}`)
	if got := sandboxtest.Send(t, "GET", url, ""); got.Text("eval_status") != "evaluation_completed" ||
		got.Text("decision") != "ACCEPT" {
		t.Errorf("after the documents: %s", got.Raw)
	}
	done := sandboxtest.Send(t, "GET", url, "")
	clock.Forward(time.Hour)
	sandboxtest.Send(t, "PATCH", srv.URL+"/api/docv/upload/"+token,
		`{"back":`+imageJSON("image/jpeg", smallJPEG(t))+`}`)
	if d := cmp.Diff(done.Raw, sandboxtest.Send(t, "GET", url, "").Raw); d != "" {
		t.Errorf("a later image changed a completed evaluation: %s", d)
	}
	again := sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload",
		fmt.Sprintf(`{"docv_transaction_token":%q,"front":%s}`, token, imageJSON("image/jpeg", smallJPEG(t))))
	if again.Status != 400 || !strings.Contains(again.Text("message"), "has an upload already") {
		t.Errorf("a second POST under the token: %d %s", again.Status, again.Raw)
	}
}

func TestDocVErrors(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	jpg, known := smallJPEG(t), ""
	good := imageJSON("image/jpeg", jpg)
	known = sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload",
		`{"id":"d-1","front":`+good+`}`).Text("docv_transaction_token")
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, says               string
	}{
		{"no JSON", "POST", "", `x`, 400, "invalid_request", "the body is not JSON"},
		{"no object", "POST", "", `[1]`, 400, "invalid_request", "the body is not a JSON object"},
		{
			"no image", "POST", "", `{"document_type":"license"}`, 400, "invalid_request",
			"at least one of front, back and selfie",
		},
		{"image is text", "POST", "", `{"front":"abc"}`, 400, "invalid_request", "front is not a JSON object"},
		{
			"token is a number", "POST", "", `{"docv_transaction_token":7,"front":` + good + `}`, 400,
			"invalid_request", "member docv_transaction_token is not a string",
		},
		{
			"no data", "POST", "", `{"back":{"content_type":"image/png"}}`, 400, "invalid_image",
			"back: member data is missing",
		},
		{"no base64", "POST", "", `{"front":{"data":"!"}}`, 400, "invalid_image", "front: data is not base64"},
		{"base64url", "POST", "", `{"front":{"data":"_-_-"}}`, 400, "invalid_image", "front: data is not base64"},
		{
			"data URI", "POST", "",
			`{"front":{"data":"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(jpg) + `"}}`, 400,
			"invalid_image", "data is a data URI",
		},
		{
			"no picture", "POST", "", `{"front":` + imageJSON("image/png", []byte("%PDF-1.7")) + `}`, 400,
			"invalid_image", "data has 8 bytes that are neither image/png",
		},
		{
			"cut header", "POST", "", `{"front":` + imageJSON("image/jpeg", jpg[:20]) + `}`, 400, "invalid_image",
			"data has 20 bytes",
		},
		{
			"another format", "POST", "", `{"front":` + imageJSON("image/gif", smallGIF(t)) + `}`, 400,
			"invalid_image", "neither image/png nor image/jpeg",
		},
		{
			"content type", "POST", "", `{"selfie":` + imageJSON("image/png", jpg) + `}`, 400, "invalid_image",
			`selfie: content_type is "image/png", but data is image/jpeg`,
		},
		{
			"unknown token in the body", "POST", "", `{"docv_transaction_token":"nobody","front":` + good + `}`,
			404, "docv_transaction_token_not_found", `"nobody"`,
		},
		{
			"unknown token in the path", "PATCH", "/nobody", `{"front":` + good + `}`, 404,
			"docv_transaction_token_not_found", `"nobody"`,
		},
		{
			"two tokens", "PATCH", "/" + known, `{"docv_transaction_token":"nobody","front":` + good + `}`, 400,
			"invalid_request", "not the one in the path",
		},
		{
			"another id", "PATCH", "/" + known, `{"id":"d-2","front":` + good + `}`, 400, "invalid_request",
			"the upload has another",
		},
		{
			"32 MiB and a byte", "POST", "", strings.Repeat(" ", 32<<20+1), 413, "request_too_large",
			"32 MiB for documents",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sandboxtest.Send(t, c.method, srv.URL+"/api/docv/upload"+c.path, c.body)
			if got.Status != c.status || got.Text("error") != c.code ||
				!strings.Contains(got.Text("message"), c.says) {
				t.Errorf("got %d %s, want %d %s that says %q", got.Status, got.Raw, c.status, c.code, c.says)
			}
		})
	}
	got := sandboxtest.Send(t, "PATCH", srv.URL+"/api/docv/upload/"+known, `{"id":"d-1","back":`+good+`}`)
	if images, _ := got.JSON["images"].(map[string]any); len(images) != 2 {
		t.Errorf("refused images left a trace: %s", got.Raw)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon, MaxUploads: 2})
	body := `{"front":` + imageJSON("image/jpeg", smallJPEG(t)) + `}`
	var tokens []string
	for range 3 {
		tokens = append(tokens,
			sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload", body).Text("docv_transaction_token"))
	}
	var got []int
	for _, token := range tokens {
		got = append(got, sandboxtest.Send(t, "PATCH", srv.URL+"/api/docv/upload/"+token, body).Status)
	}
	if d := cmp.Diff([]int{404, 200, 200}, got); d != "" {
		t.Error(d)
	}
}

// For the race detector: an answer is encoded while the next request changes the same
// upload.
func TestDocVAtOnce(t *testing.T) {
	srv := sandboxtest.Serve(t, &riskos.Service{Now: sandboxtest.AtNoon})
	paused := sandboxtest.Send(t, "POST", srv.URL+"/api/evaluation",
		evaluationOf("a-1", `{"given_name":"Document","family_name":"Review"}`))
	token, url := documentToken(t, paused), srv.URL+"/api/evaluation/"+paused.Text("eval_id")
	picture := imageJSON("image/jpeg", smallJPEG(t))
	sandboxtest.Send(t, "POST", srv.URL+"/api/docv/upload",
		fmt.Sprintf(`{"docv_transaction_token":%q,"front":%s}`, token, picture))
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			q, err := http.NewRequest("PATCH", srv.URL+"/api/docv/upload/"+token,
				strings.NewReader(`{"`+[]string{"back", "selfie"}[i%2]+`":`+picture+`}`))
			if i%3 == 0 {
				q, err = http.NewRequest("GET", url, nil)
			}
			if err != nil {
				t.Error(err)
				return
			}
			r, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if r.StatusCode != 200 {
				t.Errorf("%s: %s", q.Method, r.Status)
			}
		})
	}
	wg.Wait()
	if got := sandboxtest.Send(t, "GET", url, ""); got.Text("decision") != "ACCEPT" {
		t.Errorf("after all: %s", got.Raw)
	}
}
