// Package demo runs both exchanges, RiskOS and RDX, end to end on this machine, and
// reports each step from the traffic itself.
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
	"strings"
	"sync"

	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// Options are what a run needs to know.
type Options struct {
	Folder  string    // empty, or absent; "": a temporary folder, which Run removes
	Output  io.Writer // where the report goes
	Color   bool      // whether the report is coloured by ANSI sequences
	Program string    // how the user calls sealane, for the commands that the report ends with
	Once    bool      // end after the report; else the stand-ins stay up until the context ends

	RSA *rsaengine.Engine // of the customer's and the issuer's lanes
}

// Run makes keys and certificates, exchanges them, starts the stand-ins on loopback,
// and runs each exchange. It returns an error where a step did not do what it should.
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
	s := &servers{ctx: ctx, log: slog.New(slog.DiscardHandler), rsa: o.RSA}
	defer func() { stop(); s.wait() }()

	r := &report{w: o.Output, color: o.Color}
	fmt.Fprintf(r.w, "RSA by %s\n", o.RSA)
	fmt.Fprintf(r.w, "Files are in %s%s\n", o.Folder, map[bool]string{true: " until the demo ends"}[temporary])
	var hints []string
	for _, part := range []func(*report, *servers, Options) ([]string, error){runRiskOS, runRDX} {
		lines, err := part(r, s, o)
		if err != nil {
			return err
		}
		hints = append(hints, lines...)
	}
	fmt.Fprintf(r.w, "\n%d steps, %d failed\n", r.steps, r.failed)
	if !o.Once && ctx.Err() == nil {
		fmt.Fprintf(r.w, "\nThe stand-ins stay up until you press Ctrl-C. Try:\n\n%s\n", strings.Join(hints, "\n"))
		<-ctx.Done()
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of %d steps did not do what they should", r.failed, r.steps)
	}
	return nil
}

// makeEmpty makes a folder, or returns an error where it has files.
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

// servers are what the demo starts, and ends with its context.
type servers struct {
	ctx  context.Context
	log  *slog.Logger
	rsa  *rsaengine.Engine // the stand-ins make their faults with Go's RSA
	done sync.WaitGroup

	closing []func() error // registries
}

// start serves h on a free port of loopback and returns its URL.
func (s *servers) start(h http.Handler) (string, error) {
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

func (s *servers) wait() {
	s.done.Wait()
	for _, end := range s.closing {
		if err := end(); err != nil {
			s.log.Error("registry not closed", "error", err)
		}
	}
}

// maxBody bounds a body of HTTP.
const maxBody = 64 << 20

// loadProfile loads an embedded profile.
func loadProfile(name string) *profile.Profile {
	p, err := profile.Load(name)
	if err != nil {
		panic(err) // the tests load it
	}
	return p
}
