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
	if words := os.Getenv("SEALANE_CRASH_MAIL"); words != "" {
		mailCrashChild(words)
	}
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}
