package command

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/operation"
)

// The log of the schedule has each step, and each alarm and error once, until it has gone and comes
// again.
func TestScheduleLog(t *testing.T) {
	var out bytes.Buffer
	log := newScheduleLog(&out, false)
	late := operation.ScheduleReport{
		Alarms: []operation.ScheduleWait{{Renewal: "n-1", Partner: "acme", Text: "the overlap ended"}},
		Wait:   []operation.ScheduleWait{{Renewal: "n-2", Text: "it waits"}},
	}
	for _, step := range []struct {
		report operation.ScheduleReport
		err    error
		want   string // of one more line; empty: none
	}{
		{late, nil, "the overlap ended"},
		{late, nil, ""},
		{operation.ScheduleReport{
			Done: []operation.ScheduleDone{{Renewal: "n-3", Text: "c-1 verifies"}},
		}, nil, "c-1 verifies"},
		{late, nil, "the overlap ended"},
		{operation.ScheduleReport{Busy: true}, nil, ""},
		{late, nil, ""},
		{operation.ScheduleReport{}, errors.New("no database"), "no database"},
		{operation.ScheduleReport{}, errors.New("no database"), ""},
		{late, nil, ""},
		{operation.ScheduleReport{}, errors.New("no database"), "no database"},
	} {
		out.Reset()
		log.report(step.report, step.err)
		lines := strings.Count(out.String(), "\n")
		if step.want == "" && lines != 0 ||
			step.want != "" && (lines != 1 || !strings.Contains(out.String(), step.want)) {
			t.Errorf("%+v, %v: %q, want %q", step.report, step.err, out.String(), step.want)
		}
	}
}

// The schedule runs without a token and a root key until it is ended, and lets another one work then.
func TestScheduleRun(t *testing.T) {
	o := newOffice(t)
	t.Setenv("SEALANE_TOKEN", "")
	t.Setenv("SEALANE_ROOT_KEY", "file:"+filepath.Join(o.dir, "no such key"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &lockedBuffer{}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"schedule", "run"}, strings.NewReader(""), &bytes.Buffer{}, log) }()
	log.wait(t, "the schedule runs")
	stop()
	if code := <-ended; code != 0 || !strings.Contains(log.String(), "the schedule ends") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if said := o.run("schedule", "pass"); said != "0 renewals open.\n" {
		t.Error(said)
	}
}
