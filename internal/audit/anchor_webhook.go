package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/sealane/sealane/internal/loopback"
	"github.com/sealane/sealane/internal/readlimit"
)

const minSecret, maxSecret = 16, 4 << 10

type webhook struct {
	to     string
	name   string
	secret []byte // nil: not signed
	client http.Client
}

func openWebhook(u *url.URL) (Anchor, error) {
	// Paths and queries often contain secrets.
	a := &webhook{name: u.Scheme + "://" + u.Host}
	if u.User != nil {
		return nil, fmt.Errorf("anchor %s: no user or password in the address; sign with #secret=env:NAME", a)
	}
	if u.Scheme == "http" && !loopback.Is(u.Hostname()) {
		return nil, fmt.Errorf("anchor %s: http only reaches this machine; use https", a)
	}
	if u.Fragment != "" {
		source, found := strings.CutPrefix(u.Fragment, "secret=")
		if !found {
			return nil, fmt.Errorf("anchor %s: behind # comes secret=env:NAME or secret=file:PATH", a)
		}
		secret, err := readSecret(source)
		if err != nil {
			return nil, fmt.Errorf("anchor %s: %w", a, err)
		}
		a.secret = secret
	}
	to := *u
	to.Fragment, to.RawFragment = "", ""
	a.to = to.String()
	a.client = http.Client{
		Timeout:       anchorTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a, nil
}

func readSecret(source string) ([]byte, error) {
	kind, name, _ := strings.Cut(source, ":")
	var secret []byte
	switch kind {
	case "env":
		secret = []byte(os.Getenv(name))
		name = readlimit.ShownVariable(name)
	case "file":
		info, err := os.Stat(name)
		if err != nil {
			return nil, readlimit.Hide(err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxSecret {
			return nil, fmt.Errorf("%s is not a file with a secret", name)
		}
		if secret, err = os.ReadFile(name); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("the secret comes from env:NAME or file:PATH")
	}
	if secret = bytes.TrimRight(secret, "\r\n"); len(secret) < minSecret {
		return nil, fmt.Errorf("the secret of %s:%s is not there, or has fewer than %d bytes", kind, name, minSecret)
	}
	return secret, nil
}

func (a *webhook) String() string { return a.name }

func (a *webhook) Put(ctx context.Context, h Head) error {
	if err := h.check(); err != nil {
		return refused(a, h, err)
	}
	body := h.appendLine(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.to, bytes.NewReader(body))
	if err != nil {
		return refused(a, h, errors.New("the address is not well-formed"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sealane")
	if a.secret != nil {
		mac := hmac.New(sha256.New, a.secret)
		mac.Write(body)
		req.Header.Set("Sealane-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	res, err := a.client.Do(req)
	if err != nil {
		var u *url.Error // it contains the whole address
		if errors.As(err, &u) {
			err = u.Err
		}
		return refused(a, h, err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 == 3 {
		return refused(a, h, fmt.Errorf("it answers %d: redirects are not followed; give the address that it leads to",
			res.StatusCode))
	}
	if res.StatusCode/100 != 2 {
		return refused(a, h, fmt.Errorf("it answers %d %s", res.StatusCode, http.StatusText(res.StatusCode)))
	}
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	return nil
}
