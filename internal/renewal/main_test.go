package renewal_test

import (
	"os"
	"testing"

	"github.com/sealane/sealane/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	if address := os.Getenv("SEALANE_CRASH"); address != "" {
		crashChild(address)
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}
