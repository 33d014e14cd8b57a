package operation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/operation"
)

// A schedule and a gateway send mails as a file says, once sending is armed; a copy of the database does not.
func TestMailsAreSent(t *testing.T) {
	t.Parallel()
	s, database, _ := opened(t)
	ctx := t.Context()
	server := smtptest.New(t, smtptest.Options{})
	file := filepath.Join(t.TempDir(), "notify.yaml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `
mail: {server: "%s", tls: none, from: keys@company.example}
answers: {name: Kim Day, telephone: +1 555 0100}
operations: [operations@company.example]
host: test
`, server.Address), 0o600))
	root := "file:" + filepath.Join(filepath.Dir(database), "rootkey")
	config := operation.Config{Database: database, RootKey: root, Notify: file}
	schedule, err := operation.OpenSchedule(ctx, config, "one")
	must(t, err)
	defer schedule.Close()
	report, err := schedule.Pass(ctx)
	must(t, err)
	if n := len(server.Mails()); n != 0 || !report.Sent.Stuck {
		t.Errorf("%d mails before sending was armed: %+v", n, report.Sent)
	}
	test, err := schedule.TestNotices(ctx, "")
	must(t, err)
	if test.Failed != "" || !strings.Contains(test.Unarmed, "not armed") {
		t.Errorf("%+v", test)
	}
	armed, err := operation.ArmNotices.Do(ctx, s, operation.ArmSending{Config: file})
	must(t, err)
	if armed.From != "keys@company.example" {
		t.Errorf("%+v", armed)
	}
	report, err = schedule.Pass(ctx)
	must(t, err)
	if mails := server.Mails(); len(mails) != 1 || mails[0].To != "operations@company.example" || report.Sent.Stuck {
		t.Fatalf("%d mails, want the summary: %+v", len(mails), report.Sent)
	}
	list, err := operation.ListNotices.Do(ctx, s, operation.NoticeQuery{})
	must(t, err)
	if len(list.Mails) != 1 || list.Mails[0].State != "accepted" || list.Mails[0].Code != 250 {
		t.Errorf("%+v", list.Mails)
	}
	test, err = schedule.TestNotices(ctx, "me@company.example")
	must(t, err)
	if test.Failed != "" || test.Unarmed != "" {
		t.Errorf("%+v", test)
	}
	if n := len(server.Mails()); n != 2 {
		t.Errorf("%d mails after the test mail", n)
	}
	must(t, schedule.Release(ctx))

	gateway, err := operation.OpenServing(ctx, config, "")
	must(t, err)
	defer gateway.Close()
	advanced, err := gateway.AdvanceRenewals(ctx, "gateway")
	must(t, err)
	if n := len(server.Mails()); n != 2 || advanced.Mails == nil {
		t.Errorf("%d mails, want no second summary of the day: %+v", n, advanced)
	}
	config.Notify = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := operation.OpenServing(ctx, config, ""); err == nil {
		t.Error("a gateway starts without the file that it names")
	}
}
