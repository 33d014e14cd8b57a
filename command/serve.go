package command

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/countdown"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/rsaengine"
)

func newServe() *cobra.Command {
	var file string
	var check, dial bool
	var within int
	c := &cobra.Command{
		Use:   "serve",
		Short: "The gateway: seal and open for the application next to it",
		Long: `Serve runs the gateway: a reverse proxy whose routes are sealed lanes. An egress route
takes plain requests of an application and seals them to a partner; an ingress route
opens a partner's requests for an application; a local route seals and opens messages
for programs that carry them themselves. docs/gateway.md describes the file.

With --check it reads the file, opens keys and certificates and reads the registry,
prints everything that is wrong with its line, and ends. It also says which routes
answer 503 because keys are missing. With --dial it connects to the upstreams, too.

With --check it also lists the certificates in files that have ended or end within 75
days: those of lanes, and from 30 days on those of TLS. With --ends-within DAYS the list
is for that time, and the exit code is 7 if it has something: for a timer, and not for
ExecStartPre= of systemd, which would not start the gateway then.

SIGHUP reads the file again: all of it is put in force, or nothing. SIGTERM and Ctrl-C
end the gateway when open requests are done; a second one ends it at once.`,
		Example: `  sealane serve -c sealane.yaml --check --dial
  sealane serve -c sealane.yaml --check --ends-within 60
  sealane serve -c sealane.yaml`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "sealane.yaml", "the configuration")
	f.BoolVar(&check, "check", false, "say what is wrong with the configuration, and end")
	f.BoolVar(&dial, "dial", false, "with --check: connect to the upstreams")
	f.IntVar(&within, "ends-within", 0, "with --check: exit code 7 if a certificate in a file ends within these days")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch timed := c.Flags().Changed("ends-within"); {
		case dial && !check:
			return usage("--dial is for --check")
		case timed && !check:
			return usage("--ends-within is for --check")
		case timed && within < 1:
			return usage("--ends-within: give a number of days, 1 or more")
		}
		engine, err := chosenEngine(c)
		if err != nil {
			return err
		}
		g, err := gateway.New(c.Context(), file, gateway.Options{
			RSA: engine, OpenRegistry: openServing(engine), Log: c.ErrOrStderr(), Version: thisBuild().String(),
		})
		if err != nil {
			return err
		}
		if check {
			defer g.Close()
			return checkGateway(c, g, file, dial, within)
		}
		logRSA(c.ErrOrStderr(), engine)
		stop := reloadOnHangUp(c.Context(), g)
		defer stop()
		return g.Run(c.Context(), func(addresses map[string]net.Addr) {
			for name, address := range addresses {
				fmt.Fprintf(c.OutOrStdout(), "%s listens on %s\n", name, address)
			}
		})
	}
	return c
}

// checkGateway says that nothing is wrong with a configuration, or what its upstreams lack. A route may have to
// wait for keys, and certificates end: that is no fault of the configuration. With within, it is an alarm if one ends
// within so many days.
func checkGateway(c *cobra.Command, g *gateway.Gateway, file string, dial bool, within int) error {
	if dial {
		if err := g.Dial(c.Context()); err != nil {
			return err
		}
	}
	for _, reason := range append(g.NotReady(), g.Waiting()...) {
		if err := say(c, "not ready: %s", reason); err != nil {
			return err
		}
	}
	ending, err := sayEnds(c, g, cmp.Or(within, countdown.Lead))
	if err != nil {
		return err
	}
	if err := say(c, "%s: nothing is wrong.", file); err != nil {
		return err
	}
	if ending && within > 0 {
		return &exit{code: exitAlarm}
	}
	return nil
}

// sayEnds says which certificates in files end, and of which keys that is not known. It reports whether one ends.
func sayEnds(c *cobra.Command, g *gateway.Gateway, within int) (ending bool, err error) {
	list, unknown := g.Ending(within)
	for _, w := range list {
		err := say(c, "%s: %s, %s", w.Left(), named(w),
			w.Certificate.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC"))
		if err != nil {
			return false, err
		}
	}
	for _, w := range unknown {
		if err := say(c, "end not known: %s", named(w)); err != nil {
			return false, err
		}
	}
	return len(list) > 0, nil
}

// named returns where a file is in the configuration.
func named(w gateway.WatchedFile) string {
	text := fmt.Sprintf("%s %s", w.Use, printable(w.File))
	if w.Lane != "" {
		text = "lane " + w.Lane + ", " + text
	}
	if len(w.Routes) == 1 {
		return text + " (route " + w.Routes[0] + ")"
	}
	return text + " (routes " + strings.Join(w.Routes, ", ") + ")"
}

// openServing returns how a gateway opens its registry.
func openServing(engine *rsaengine.Engine) func(context.Context, gateway.RegistrySettings) (gateway.Registry, error) {
	return func(ctx context.Context, s gateway.RegistrySettings) (gateway.Registry, error) {
		config := operation.Config{Database: s.DB, RootKey: s.RootKey, RSA: engine, Notify: s.Notify}
		r, err := operation.OpenServing(ctx, config, s.RootKeyText)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

// reloadOnHangUp makes a gateway read its configuration again with each SIGHUP. The gateway logs what
// became of it. stop ends that.
func reloadOnHangUp(ctx context.Context, g *gateway.Gateway) (stop func()) {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangUp:
				g.ReloadAndLog(ctx)
			}
		}
	}()
	return func() {
		signal.Stop(hangUp)
		cancel()
		<-done
	}
}
