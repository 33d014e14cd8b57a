package command

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/rsaengine"
)

func newServe() *cobra.Command {
	var file string
	var check, dial bool
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

SIGHUP reads the file again: all of it is put in force, or nothing. SIGTERM and Ctrl-C
end the gateway when open requests are done; a second one ends it at once.`,
		Example: `  sealane serve -c sealane.yaml --check --dial
  sealane serve -c sealane.yaml`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVarP(&file, "config", "c", "sealane.yaml", "the configuration")
	f.BoolVar(&check, "check", false, "say what is wrong with the configuration, and end")
	f.BoolVar(&dial, "dial", false, "with --check: connect to the upstreams")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dial && !check {
			return usage("--dial is for --check")
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
			return checkGateway(c, g, file, dial)
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
// wait for keys: that is no fault of the configuration.
func checkGateway(c *cobra.Command, g *gateway.Gateway, file string, dial bool) error {
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
	return say(c, "%s: nothing is wrong.", file)
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
