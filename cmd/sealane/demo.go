package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

func newDemo() *cobra.Command {
	var dir string
	var once bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run both exchanges end to end on this machine, and show what happens",
		Long: `Demo makes keys and certificates, exchanges them with their checksums, starts the
stand-ins on loopback, and runs RiskOS (plain and sealed evaluations, document
upload, every error of its table) and RDX (a challenge, then one under a second
key). Every line of the report is computed from the traffic.

With --once it ends there, and exits with 0 only if every step did what it should.
Without it the stand-ins stay up, and the report ends with commands to try.`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&dir, "dir", "", "empty folder for all files (default: a temporary one, removed at the end)")
	c.Flags().BoolVar(&once, "once", false, "end after the report")
	c.RunE = func(c *cobra.Command, _ []string) error {
		temporary := dir == ""
		if temporary {
			made, err := os.MkdirTemp("", "sealane-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(made)
			dir = made
		} else if err := emptyFolder(dir); err != nil {
			return err
		}
		return runDemo(c, dir, temporary, once)
	}
	return c
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: the demo writes only into an empty folder", dir)
	}
	return err
}

func runDemo(c *cobra.Command, dir string, temporary, once bool) error {
	engine, err := chosenEngine(c)
	if err != nil {
		return err
	}
	servers := &demoServers{log: slog.New(slog.DiscardHandler), rsa: engine}
	ctx, stop := context.WithCancel(c.Context())
	servers.ctx = ctx
	defer func() { stop(); servers.wait() }()

	r := &report{w: c.OutOrStdout(), color: isTerminal(c.OutOrStdout())}
	fmt.Fprintf(r.w, "RSA by %s\n", engine)
	fmt.Fprintf(r.w, "Files are in %s%s\n", dir, map[bool]string{true: " until the demo ends"}[temporary])
	var hints []string
	for _, demo := range []func(*report, *demoServers, string) ([]string, error){demoRiskOS, demoRDX} {
		lines, err := demo(r, servers, dir)
		if err != nil {
			return err
		}
		hints = append(hints, lines...)
	}
	fmt.Fprintf(r.w, "\n%d steps, %d failed\n", r.steps, r.failed)
	if !once && ctx.Err() == nil {
		fmt.Fprintf(r.w, "\nThe stand-ins stay up until you press Ctrl-C. Try:\n\n%s\n", strings.Join(hints, "\n"))
		<-ctx.Done()
	}
	if r.failed > 0 {
		return &exit{exitFailed, fmt.Errorf("%d of %d steps did not do what they should", r.failed, r.steps)}
	}
	return nil
}

// demoServers owns the servers that a demo starts.
type demoServers struct {
	ctx  context.Context
	log  *slog.Logger
	rsa  *rsaengine.Engine // of the customer's and the issuer's lanes; the stand-ins forge faults with keys in Go's hands
	done sync.WaitGroup

	closing []func() error // registries
}

// start serves h on a free port of loopback and gives its URL.
func (s *demoServers) start(h http.Handler) (string, error) {
	l, err := listen(s.ctx, net.JoinHostPort("127.0.0.1", "0"))
	if err != nil {
		return "", err
	}
	s.done.Go(func() {
		if err := serve(s.ctx, l, h, s.log); err != nil {
			s.log.Error("server ended", "error", err)
		}
	})
	return "http://" + l.Addr().String(), nil
}

func (s *demoServers) wait() {
	s.done.Wait()
	for _, end := range s.closing {
		if err := end(); err != nil {
			s.log.Error("registry not closed", "error", err)
		}
	}
}

// me is how the user calls this program.
func me() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/sealane"
	}
	return os.Args[0]
}

// demoProfile loads an embedded profile.
func demoProfile(name string) *profile.Profile {
	p, err := profile.Load(name)
	must(err)
	return p
}
