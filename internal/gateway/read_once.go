package gateway

import (
	"context"
	"crypto/sha256"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
)

// fileSums are the SHA-256 of files, by their paths. That of a file that can't be read is zero, and so is that of a
// pipe or a device, which can be read only once.
type fileSums map[string][sha256.Size]byte

func sumsOf(files []string) fileSums {
	sums := fileSums{}
	for _, file := range files {
		var sum [sha256.Size]byte
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			sums[file] = sum
			continue
		}
		if data, err := readlimit.File(file, maxPEM); err == nil {
			sum = sha256.Sum256(data)
			clear(data)
		}
		sums[file] = sum
	}
	return sums
}

// changed returns the files whose content is another one, in their order.
func (s fileSums) changed(now fileSums) []string {
	var list []string
	for _, file := range slices.Sorted(maps.Keys(s)) {
		if s[file] != now[file] {
			list = append(list, file)
		}
	}
	return list
}

// filesReadOnce returns the files that are read when a state is made, and not by the state itself: certificates of
// issuers, tokens, the webhook's secret, and what is sent in the header Authorization.
func (c *Config) filesReadOnce() []string {
	var files []string
	path := func(p Path) {
		if p != "" {
			files = append(files, p.in(c.dir))
		}
	}
	secret := func(s Secret) {
		if file, ok := s.File(); ok {
			path(Path(file))
		}
	}
	if c.Notify != nil && c.Notify.Webhook != nil {
		secret(c.Notify.Webhook.Secret)
		path(Path(c.Notify.Webhook.CA))
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.TLS != nil {
			path(r.TLS.ClientCA)
		}
		if r.Upstream != nil && r.Upstream.TLS != nil {
			path(r.Upstream.TLS.CA)
		}
		if r.Clients != nil {
			secret(r.Clients.Token)
		}
		for _, t := range r.Tokens {
			secret(t.Token)
		}
		secret(r.Authorization)
	}
	return files
}

// refreshReadOnce puts the configuration in force again, as it was read last, if one of these files has changed.
func (g *Gateway) refreshReadOnce(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state.Load()
	changed := s.files.changed(sumsOf(s.config.filesReadOnce()))
	if len(changed) == 0 {
		return
	}
	err := g.replace(func(old *state) (*state, error) {
		return g.buildFrom(ctx, old.config, old.config.faults(nil), old)
	})
	if err != nil {
		g.log.Error("files have changed, and what was read before stays", "files", strings.Join(changed, ", "),
			"reason", err.Error())
		return
	}
	g.log.Info("files were read again", "files", strings.Join(changed, ", "))
}
