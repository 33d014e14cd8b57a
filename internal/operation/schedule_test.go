package operation_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// What a program does in renewals is anchored as what people do is: by a gateway, and by a schedule of
// its own, which needs no root key.
func TestScheduleIsAnchored(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	must(t, s.AddPartner(ctx, registry.Partner{ID: "socure", Name: "S", Profile: "riskos", Side: sealane.ClientSide}))
	root := "file:" + filepath.Join(filepath.Dir(database), "rootkey")
	heads := filepath.Join(t.TempDir(), "heads.jsonl")
	config := operation.Config{Database: database, RootKey: root, Anchors: []string{"file:" + heads}}
	renew := func(environment string) {
		must(t, s.AddEnvironment(ctx, registry.Environment{
			Partner: "socure", Name: environment, Sealing: sealane.SealingRequired,
		}))
		for i := range 2 {
			k, err := operation.CreateKey.Do(ctx, s, registry.NewPair{
				Partner: "socure", Profile: "riskos", Environment: environment, Bits: 2048, Renewal: i > 0,
				Subject: cert.Template{
					CommonName: "us.example", Organization: "Us", Unit: "Keys", Email: "a@us.example",
				},
			})
			must(t, err)
			target := exchange.Target{KeyPair: k.KeyPair.ID}
			target.Partner = "socure"
			must(t, exchange.New(s.Session).Offer(ctx, target, func(exchange.OfferPackage) error { return nil }))
			if i == 0 {
				must(t, exchange.New(s.Session).MarkInstalled(ctx, target))
			}
		}
	}
	anchored := func(what string) {
		t.Helper()
		var head int64
		must(t, s.View(ctx, func(tx registry.Reader) error {
			last, err := tx.AuditHead()
			head = last.Seq
			return err
		}))
		text, err := os.ReadFile(heads)
		must(t, err)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		var last struct{ Seq int64 }
		must(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
		if last.Seq != head {
			t.Errorf("%s: record %d is anchored, and the head is %d", what, last.Seq, head)
		}
	}
	renew("DEV")
	gateway, err := operation.OpenServing(ctx, config, "")
	must(t, err)
	defer gateway.Close()
	done, err := gateway.AdvanceRenewals(ctx, "gateway")
	must(t, err)
	if len(done.Done) == 0 {
		t.Fatalf("%+v", done)
	}
	anchored("a gateway")
	must(t, gateway.ReleaseRenewals(ctx, "gateway"))

	renew("SANDBOX")
	config.RootKey = "file:" + filepath.Join(t.TempDir(), "there is none")
	schedule, err := operation.OpenSchedule(ctx, config, "schedule")
	must(t, err)
	defer schedule.Close()
	report, err := schedule.Pass(ctx)
	must(t, err)
	if len(report.Done) == 0 {
		t.Fatalf("%+v", report)
	}
	anchored("a schedule")
}
