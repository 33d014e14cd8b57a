package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/loopback"
	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/sealhttp"
)

// callFlags are the flags of call.
type callFlags struct {
	lane                           *laneFlags
	all                            *conformanceFlags
	apiKeyFile, clientCert, tlsKey string
	headers                        []string
	plain, verbose, allowHTTP      bool
	timeout                        time.Duration
}

func newCall() *cobra.Command {
	c := &cobra.Command{
		Use:   "call METHOD URL [BODY]",
		Short: "curl for sealed lanes: seal, send, open, print the answer",
		Long: `Call seals BODY (text, @FILE, or @- for standard input), sends it, opens the answer
and writes its payload to standard output. An error says whether the cause is on
your side, on the partner's, or in the network.

The exit code is 4 if the partner answered with an error. It is 5 if the request may
have been processed, but no usable answer arrived: do not repeat such a request
blindly.

` + conformanceHelp,
		Example: `  sealane call --profile riskos --key our.key --to provider.pem --api-key-file api-key \
      POST https://riskos.sandbox.example/api/evaluation @evaluation.json
  sealane call --profile riskos --key our.key --to provider.pem --api-key-file api-key \
      --all-faults POST https://riskos.sandbox.example/api/evaluation @evaluation.json`,
		Args: cobra.RangeArgs(2, 3),
	}
	flags := &callFlags{
		lane: addLaneFlags(c, "to", "the partner's certificate, in any format; further ones verify too (overlap)"),
	}
	flags.lane.calls = true
	f := c.Flags()
	f.StringVar(&flags.apiKeyFile, "api-key-file", "", "file with the API key, sent as Authorization: Bearer")
	f.StringArrayVarP(&flags.headers, "header", "H", nil, "further header, as \"Name: value\"")
	f.StringVar(&flags.clientCert, "tls-cert", "", "PEM file with a TLS client certificate")
	f.StringVar(&flags.tlsKey, "tls-key", "", "PEM file with its private key")
	f.BoolVar(&flags.plain, "plain", false, "send the request unencrypted, and accept an unencrypted answer")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "write to standard error what was sent and received")
	f.BoolVar(&flags.allowHTTP, "allow-http", false, "allow http:// to hosts other than this one")
	f.DurationVar(&flags.timeout, "timeout", 30*time.Second, "limit for the whole call; with --all-faults for each")
	flags.all = addConformanceFlags(c)
	c.MarkFlagsMutuallyExclusive("plain", "all-faults")
	c.RunE = flags.run
	return c
}

func (f *callFlags) run(c *cobra.Command, args []string) error {
	if err := f.all.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), f.timeout)
	defer cancel()
	f.lane.optional = f.plain
	lane, err := f.lane.lane(ctx, sealane.ClientSide)
	if err != nil {
		return err
	}
	r, err := f.request(ctx, c, args)
	if err != nil {
		return err
	}
	base, err := baseTransport(f.clientCert, f.tlsKey)
	if err != nil {
		return err
	}
	defer base.CloseIdleConnections()
	var wire http.RoundTripper = base
	if f.verbose {
		wire = &wireTap{base: base, w: c.ErrOrStderr()}
	}
	if f.all.allFaults {
		return f.tryAll(c, &conformance.Check{Lane: lane, Base: wire}, r)
	}
	return callOnce(c, &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: wire}, r)
}

// tryAll sends copies of the request with every fault.
func (f *callFlags) tryAll(c *cobra.Command, check *conformance.Check, r *http.Request) (err error) {
	if check.Signer, err = f.lane.signer(c, check); err != nil {
		return err
	}
	check.Send = func(ctx context.Context, t http.RoundTripper) error {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		one := r.Clone(ctx)
		body, err := r.GetBody()
		if err != nil {
			return err
		}
		one.Body = body
		answer, err := t.RoundTrip(one)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxInput))
		return err
	}
	return f.all.run(c, check)
}

func (f *callFlags) request(ctx context.Context, c *cobra.Command, args []string) (*http.Request, error) {
	body, err := bodyArgument(c, args[2:])
	if err != nil {
		return nil, err
	}
	if f.plain {
		ctx = sealhttp.WithPlain(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(args[0]), args[1], bytes.NewReader(body))
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	if err := checkURL(r.URL, f.allowHTTP); err != nil {
		return nil, err
	}
	if f.plain {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, setHeaders(c, r, f.headers, f.apiKeyFile)
}

// callOnce sends a request and writes the answer's payload.
func callOnce(c *cobra.Command, t *sealhttp.Transport, r *http.Request) error {
	answer, err := t.RoundTrip(r) // no redirects: a sealed body belongs to one partner
	if err != nil {
		return callError(err)
	}
	defer answer.Body.Close()
	n, err := io.Copy(c.OutOrStdout(), io.LimitReader(answer.Body, maxInput))
	if more, _ := io.CopyN(io.Discard, answer.Body, 1); err == nil && more > 0 {
		err = fmt.Errorf("it is longer than %d bytes", n)
	}
	if err != nil {
		return &exit{exitProcessed, fmt.Errorf("the answer was not written completely: %w", err)}
	}
	status := printable(answer.Status)
	message, sealed := sealhttp.MessageFrom(answer.Request.Context())
	if verified, ok := message.(*sealane.Verified); ok {
		fmt.Fprintf(c.ErrOrStderr(), "\n%s, sealed, signed by %s\n", status, refOf(verified.Signer()))
	} else if !sealed {
		fmt.Fprintf(c.ErrOrStderr(), "\n%s, NOT SEALED: nobody has signed this answer\n", status)
	}
	if answer.StatusCode >= 300 {
		return &exit{exitPartner, fmt.Errorf("%s %s: the partner answered %s", r.Method, r.URL.Path, status)}
	}
	return nil
}

// callError returns err with the exit code of its outcome.
func callError(err error) error {
	var partner *sealhttp.PartnerError
	switch {
	case errors.Is(err, sealane.ErrMayBeProcessed):
		return &exit{exitProcessed, err}
	case errors.As(err, &partner):
		return &exit{exitPartner, err}
	}
	return judged(err)
}

func bodyArgument(c *cobra.Command, args []string) ([]byte, error) {
	text := first(args)
	if name, isFile := strings.CutPrefix(text, "@"); isFile {
		return readInput(c, name, maxInput)
	}
	return []byte(text), nil
}

// checkURL refuses connections to other hosts without TLS: the API key would be sent
// unencrypted.
func checkURL(u *url.URL, allowHTTP bool) error {
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return &exit{exitUsage, fmt.Errorf("URL %q is not a full http or https URL", u.Redacted())}
	}
	if u.Scheme == "https" || allowHTTP || loopback.Is(u.Hostname()) {
		return nil
	}
	return &exit{exitUsage, fmt.Errorf("%s is not encrypted in transit: use https, or --allow-http", u.Redacted())}
}

func setHeaders(c *cobra.Command, r *http.Request, headers []string, apiKeyFile string) error {
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return &exit{exitUsage, errors.New(`a --header is not of the form "Name: value"`)}
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if apiKeyFile == "" {
		return nil
	}
	key, err := secretFile(c, apiKeyFile)
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return err
}

func baseTransport(certFile, keyFile string) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if certFile != "" || keyFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS client certificate: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// wireTap writes what is sent and received: sizes and types, no secrets.
type wireTap struct {
	base http.RoundTripper
	w    io.Writer
}

func (t *wireTap) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	fmt.Fprintf(t.w, "> %s %s\n> %d bytes of %s\n",
		r.Method, r.URL.Redacted(), r.ContentLength, r.Header.Get("Content-Type"))
	answer, err := t.base.RoundTrip(r)
	if err == nil {
		fmt.Fprintf(t.w, "< %s after %d ms, %d bytes of %s\n", printable(answer.Status),
			time.Since(start).Milliseconds(), answer.ContentLength, printable(answer.Header.Get("Content-Type")))
	}
	return answer, err
}
