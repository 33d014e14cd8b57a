// Package riskos is a stand-in of RiskOS: the evaluation and document verification (DocV) services,
// and the provider around them with API keys, sealing, and faults on demand.
package riskos

import (
	"net/http"
	"sync"
	"time"

	"github.com/sealane/sealane/internal/sandbox"
)

// APIVersion is the accepted value of X-API-Version.
const APIVersion = "2025-01-01.orion"

// Service is a stand-in of the RiskOS evaluation and document verification (DocV) services, in
// plain JSON, for one account; a provider with several accounts keeps one Service each. The zero
// value is ready.
//
//	POST  /api/evaluation                              evaluate
//	POST  /api/evaluation/{version}                    evaluate with a version of the workflow
//	PATCH /api/evaluation/{eval_id}                    go on with a paused evaluation
//	GET   /api/evaluation/{eval_id}                    read one
//	POST  /api/docv/upload                             upload images
//	PATCH /api/docv/upload/{docv_transaction_token}    add or replace images
//
// It does not authenticate; see Unauthorized. Decisions follow TestIdentities, then DerivedRules.
// An answer about an evaluation or an upload carries the request's id; the published error bodies
// have no member for one.
type Service struct {
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	// Workflows are the names that exist; others are answered with 404. If it is empty,
	// every name exists.
	Workflows []string
	// CaptureURL is the page that a document request names, with the token appended. The
	// stand-in does not serve it.
	CaptureURL string
	// MaxEvaluations and MaxUploads limit how many are kept; the oldest is dropped first.
	// The default is 10,000 each.
	MaxEvaluations, MaxUploads int
	// MaxBytes limits the request data that is kept with evaluations. The default is 64
	// MiB.
	MaxBytes int

	routes sync.Once
	mux    *http.ServeMux

	mu          sync.Mutex
	evaluations sandbox.BoundedMap[string, *evaluation]
	latest      sandbox.BoundedMap[string, string] // the sender's id to its newest eval_id
	awaiting    sandbox.BoundedMap[string, string] // docv_transaction_token to the eval_id that waits for it
	uploads     sandbox.BoundedMap[string, *upload]
}

// ServeHTTP serves the endpoints above.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.routes.Do(s.route)
	s.mux.ServeHTTP(w, r)
}

func (s *Service) route() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /api/evaluation", s.create)
	s.mux.HandleFunc("POST /api/evaluation/{version}", s.create)
	s.mux.HandleFunc("PATCH /api/evaluation/{eval_id}", s.resume)
	s.mux.HandleFunc("GET /api/evaluation/{eval_id}", s.read)
	s.mux.HandleFunc("POST /api/docv/upload", s.createUpload)
	s.mux.HandleFunc("PATCH /api/docv/upload/{docv_transaction_token}", s.amendUpload)
	// The mux's own 404 and 405 are plain text, but the service's errors are JSON.
	for path, allow := range map[string]string{
		"/api/evaluation":        "POST",
		"/api/evaluation/{any}":  "GET, PATCH, POST",
		"/api/docv/upload":       "POST",
		"/api/docv/upload/{any}": "PATCH",
	} {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			writeRefusal(w, refuse(http.StatusMethodNotAllowed, "method_not_allowed",
				"%s is not served here; this path takes %s", r.Method, allow))
		})
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeRefusal(w, refuse(http.StatusNotFound, "not_found",
			"no such endpoint; see /api/evaluation and /api/docv/upload"))
	})
}
