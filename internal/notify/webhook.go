package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	hookTime    = 10 * time.Second
	maxHookBody = 1 << 20
	minSecret   = 16 // bytes
)

// Hook posts events to a program of ours, in the manner of Standard Webhooks: the headers webhook-id,
// webhook-timestamp and webhook-signature, which is an HMAC-SHA-256 of both and of the body.
type Hook struct {
	url, name string
	secret    []byte
	client    http.Client

	presented atomic.Pointer[x509.Certificate] // by the server, last
}

// NewHook returns the webhook of a configuration, or nil if it has none.
func NewHook(c *Config) (*Hook, error) {
	return c.Webhook.Hook(context.Background(), c.dir)
}

// Hook returns the webhook, or nil for nil. A relative path of the secret begins at dir.
func (c *WebhookConfig) Hook(ctx context.Context, dir string) (*Hook, error) {
	if c == nil {
		return nil, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("webhook.url is not a URL")
	}
	text, err := c.Secret.Read(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("webhook.secret: %w", err)
	}
	secret := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		if secret, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("webhook.secret: what is behind whsec_ is not base64")
		}
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("webhook.secret: it has less than %d bytes", minSecret)
	}
	h := &Hook{url: c.URL, name: u.Scheme + "://" + u.Host, secret: secret, client: caller()}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, VerifyConnection: h.connected}
	if transport.TLSClientConfig.RootCAs, err = readIssuers(in(dir, c.CA)); err != nil {
		return nil, fmt.Errorf("webhook.ca: %w", err)
	}
	h.client.Transport = transport
	return h, nil
}

// connected notes the certificate that the server of a connection has presented.
func (h *Hook) connected(state tls.ConnectionState) error {
	h.presented.Store(state.PeerCertificates[0])
	return nil
}

// caller returns a client that calls what it is told to, and nothing else.
func caller() http.Client {
	return http.Client{
		Timeout:       hookTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Name returns the host of the webhook, with the scheme. The rest of its URL may be a token.
func (h *Hook) Name() string { return h.name }

// Certificate returns the certificate that the webhook's server has presented last, or nil.
func (h *Hook) Certificate() *x509.Certificate { return h.presented.Load() }

// Post posts a body in JSON. id is the same each time the same event is posted, so that its receiver can leave out
// what it has already. A status of 200 to 299 means that it was received; after an error it is posted again later.
func (h *Hook) Post(ctx context.Context, id string, at time.Time, body []byte) error {
	if len(body) > maxHookBody || id == "" || strings.ContainsFunc(id, unprintable) || strings.Contains(id, " ") {
		return fmt.Errorf("webhook %s: the event %.80q has no identity in ASCII, or is larger than %d bytes", h.name,
			id, maxHookBody)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, h.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook %s: %w", h.name, bare(err))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", stamp)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	err = call(&h.client, r, "webhook "+h.name)
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok { // also one that has ended
		h.presented.Store(refused.UnverifiedCertificates[0])
	}
	return err
}

// Ping calls a URL, whose answer has a status of 200 to 299. The error does not have the URL's path, which may be a
// token.
func Ping(ctx context.Context, to string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return fmt.Errorf("ping: %w", bare(err))
	}
	if r.URL.Host == "" || r.URL.Scheme != "https" && r.URL.Scheme != "http" {
		return errors.New("ping: it is not a URL with https")
	}
	client := caller()
	return call(&client, r, "ping "+r.URL.Scheme+"://"+r.URL.Host)
}

// call makes a request, and reads a part of the answer.
func call(client *http.Client, r *http.Request, name string) error {
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, bare(err))
	}
	defer response.Body.Close()
	const enough = 64 << 10 // so that the connection can be used again
	if _, err := io.CopyN(io.Discard, response.Body, enough); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, bare(err))
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %d", name, response.StatusCode)
	}
	return nil
}

// bare returns an error without the URL.
func bare(err error) error {
	if at, ok := errors.AsType[*url.Error](err); ok {
		return at.Err
	}
	return err
}
