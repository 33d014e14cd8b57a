// Package demo runs the exchanges of RiskOS and RDX end to end on this machine: key
// pairs and certificates, their exchange and renewal, messages, and every error.
// Its report shows what the traffic was, step by step. It also plays two years, in which
// a certificate of each side is renewed, with the mails that are sent.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// Options configure a run. Output is required.
type Options struct {
	// Folder is the folder for all files. It must be empty or not exist. By default Run
	// makes a temporary folder, and removes it at the end.
	Folder string

	// Output receives the report. With Color, it has ANSI sequences.
	Output io.Writer
	Color  bool

	// Once makes Run return after the report. Otherwise the services run until the context
	// ends, and the report ends with commands to try.
	Once bool

	// FastForward makes Run play a renewal of each side instead, in two years of a clock of its own, and return
	// after the report.
	FastForward bool
	// Start is the day on which those years begin. The default is today.
	Start time.Time
	// Verbose shows the text of each mail. Otherwise it is shown of the first of each kind.
	Verbose bool

	// Program is how the user calls sealane, for those commands.
	Program string

	// RSA performs the RSA operations of the lanes. The default is crypto/rsa.
	RSA *rsaengine.Engine
}

// Run runs both exchanges, or plays two renewals. It returns an error if a step did not do what it should.
func Run(ctx context.Context, o Options) error {
	temporary := o.Folder == ""
	if temporary {
		made, err := os.MkdirTemp("", "sealane-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		o.Folder = made
	} else if err := makeEmpty(o.Folder); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	s := &services{ctx: ctx, log: slog.New(slog.DiscardHandler), rsa: o.RSA}
	defer func() { stop(); s.wait() }()

	r := &report{w: o.Output, color: o.Color}
	fmt.Fprintf(r.w, "RSA by %s\n", o.RSA)
	until := ""
	if temporary {
		until = " until the demo ends"
	}
	fmt.Fprintf(r.w, "Files are in %s%s\n", o.Folder, until)
	var commands []string
	var err error
	if o.FastForward {
		err = playRenewals(r, s, o)
	} else {
		commands, err = runBoth(r, s, o)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(r.w, "\n%d steps, %d failed\n", r.steps, r.failed)
	if !o.Once && !o.FastForward && ctx.Err() == nil {
		fmt.Fprintf(r.w, "\nThe services stay up until you press Ctrl-C. Try:\n\n%s\n", strings.Join(commands, "\n"))
		<-ctx.Done()
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of %d steps did not do what they should", r.failed, r.steps)
	}
	return nil
}

// runBoth returns commands to try against the services.
func runBoth(r *report, s *services, o Options) ([]string, error) {
	riskos, err := newScenario(r, s, o, "riskos", "SANDBOX")
	if err != nil {
		return nil, err
	}
	commands, err := (&riskosDemo{scenario: riskos, apiKeys: map[string]string{}}).run()
	if err != nil {
		return nil, err
	}
	rdx, err := newScenario(r, s, o, "rdx", "STAG")
	if err != nil {
		return nil, err
	}
	more, err := (&rdxDemo{scenario: rdx}).run()
	return append(commands, more...), err
}

// makeEmpty makes a folder, or returns an error if it has files.
func makeEmpty(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return os.MkdirAll(folder, 0o755)
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: the demo writes only into an empty folder", folder)
	}
	return err
}

// scenario is one of the two exchanges.
type scenario struct {
	*report
	*services
	program     string // see Options
	folder      string
	profile     *profile.Profile
	environment string
	wire        *wire
	now         func() time.Time  // of the registries; nil: the computer's
	rotation    registry.Rotation // of the environment
}

func newScenario(r *report, s *services, o Options, profileName, environment string) (*scenario, error) {
	p, err := profile.Load(profileName)
	return &scenario{
		report: r, services: s, program: o.Program, folder: filepath.Join(o.Folder, profileName),
		profile: p, environment: environment, wire: &wire{base: http.DefaultTransport},
	}, err
}

// services are the servers and registries that the demo opens. They end with ctx.
type services struct {
	ctx  context.Context
	log  *slog.Logger
	rsa  *rsaengine.Engine
	done sync.WaitGroup

	closing []func() error // registries
}

// start serves h on a free port of loopback and returns its URL.
func (s *services) start(h http.Handler) (string, error) {
	l, err := httpserver.Listen(s.ctx, net.JoinHostPort("127.0.0.1", "0"))
	if err != nil {
		return "", err
	}
	s.done.Go(func() {
		if err := httpserver.Serve(s.ctx, l, h, s.log); err != nil {
			s.log.Error("server ended", "error", err)
		}
	})
	return "http://" + l.Addr().String(), nil
}

// wait returns when all servers have ended and all registries are closed.
func (s *services) wait() {
	s.done.Wait()
	for _, end := range s.closing {
		if err := end(); err != nil {
			s.log.Error("registry not closed", "error", err)
		}
	}
}
