package registry_test

import (
	"context"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// meddled are how many rows a test changes in the database itself.
var meddled sync.Map

// rowsHold fails the test where other rows than it meddled with are not as they were recorded:
// every change of every test has to record all that it stores.
func rowsHold(t testing.TB, r *registry.Registry) {
	t.Helper()
	want, _ := meddled.LoadOrStore(t.Name(), 0)
	report, err := r.VerifyRows(context.Background())
	if err != nil || len(report.Findings) != want {
		t.Errorf("after the test: %v\n%s", err, report)
	}
}
