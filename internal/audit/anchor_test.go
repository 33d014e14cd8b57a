package audit_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

func open(t testing.TB, address string) audit.Anchor {
	t.Helper()
	a, err := audit.OpenAnchor(address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func put(t testing.TB, a audit.Anchor, heads ...audit.Head) {
	t.Helper()
	for _, h := range heads {
		if err := a.Put(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, path string) ([]audit.Head, []string) {
	t.Helper()
	heads, remarks, err := audit.ReadAnchors(path)
	if err != nil {
		t.Fatal(err)
	}
	return heads, remarks
}

func TestFileAnchor(t *testing.T) {
	m := write(t, 5)
	path := filepath.Join(t.TempDir(), "heads")
	a := open(t, "file:"+path)
	if _, err := os.Stat(path); err == nil {
		t.Error("opening makes the file")
	}
	put(t, a, m.headAt(1), m.headAt(3))
	put(t, open(t, "file:"+path), m.headAt(5))
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	heads, remarks := read(t, path)
	if want := []audit.Head{m.headAt(1), m.headAt(3), m.headAt(5)}; !reflect.DeepEqual(heads, want) ||
		len(remarks) != 0 {
		t.Errorf("%v %v", heads, remarks)
	}
	if report := verify(t, m, heads...); !report.Holds || report.Held != 3 {
		t.Error(report)
	}
	if a.String() != "file:"+path {
		t.Error(a)
	}
}

// TestTornAnchors: wherever a crash cuts the last line, earlier and later lines are read,
// and the gap is reported.
func TestTornAnchors(t *testing.T) {
	m := write(t, 3)
	path := filepath.Join(t.TempDir(), "heads")
	a := open(t, "file:"+path)
	put(t, a, m.headAt(1))
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, a, m.headAt(2))
	two, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zeros := append(bytes.Clone(one), make([]byte, len(two)-len(one))...)
	for n := len(one); n <= len(two)+1; n++ {
		crashed := zeros // a file system may only have reserved the space
		if n <= len(two) {
			crashed = two[:n]
		}
		if err := os.WriteFile(path, crashed, 0o600); err != nil {
			t.Fatal(err)
		}
		torn, whole := 1, 1
		if n == len(one) {
			torn = 0
		} else if n == len(two)-1 || n == len(two) { // but for the end of the line
			torn, whole = 0, 2
		}
		if heads, remarks := read(t, path); len(heads) != whole || len(remarks) != torn {
			t.Errorf("%d bytes: %v, %q", n, heads, remarks)
		}
		put(t, a, m.headAt(3))
		heads, remarks := read(t, path)
		if len(heads) != whole+1 || len(remarks) != torn || !reflect.DeepEqual(heads[whole], m.headAt(3)) {
			t.Errorf("%d bytes, and one more: %v, %q", n, heads, remarks)
		}
		if torn == 1 && !strings.Contains(remarks[0], "line 2 is unfinished") {
			t.Error(remarks)
		}
	}
}

func TestReadAnchors(t *testing.T) {
	m := write(t, 2)
	line := func(h audit.Head) string { b, _ := h.MarshalJSON(); return string(b) }
	good := line(m.headAt(1))
	for _, c := range []struct {
		name, file, says string
		heads            int
	}{
		{"none", "", "", 0},
		{"a syslog's", "Mar  1 22:59:59 host sealane[7]: " + good + "\nMar  1 23:00:00 host sealane[7]: " +
			line(m.headAt(2)) + "\r\n", "", 2},
		{"edited", strings.Replace(good, `"seq":1`, `"seq":x`, 1) + "\n", "line 1 has no head", 0},
		{"short hash", good + "\n" + strings.Replace(good, `"hash":"`, `"hash":"00`, 1) + "\n", "line 2 has no head",
			0},
		{"more", strings.Replace(good, `}`, `,"x":1}`, 1) + "\n", "line 1 has no head", 0},
		{"another file", "hello\n", "line 1 has no head", 0},
		{"empty line", good + "\n\n", "line 2 has no head", 0},
		{"zero", line(audit.Head{}) + "\n", "line 1 has no head", 0},
		{"long", strings.Repeat("x", 1<<20), "not an anchors file", 0},
	} {
		path := filepath.Join(t.TempDir(), "heads")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		heads, remarks, err := audit.ReadAnchors(path)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) ||
			len(heads) != c.heads || len(remarks) != 0 {
			t.Errorf("%s: %v %v %v", c.name, heads, remarks, err)
		}
	}
	if _, _, err := audit.ReadAnchors(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there has heads")
	}
}

func TestAnchorAddresses(t *testing.T) {
	t.Setenv("SEALANE_TEST_SHORT", "hunter2")
	dir := t.TempDir()
	for address, says := range map[string]string{
		"":                                  "an anchor begins with",
		"hunter2://x":                       "an anchor begins with",
		"file:":                             "write file:PATH",
		"file://host/hunter2":               "write file:PATH",
		"file:" + dir:                       "not a regular file",
		"file:" + dir + "/none/heads":       "no such file",
		"https://":                          "no host",
		"https://host/%zzhunter2":           "not well-formed",
		"http://example.com/hunter2":        "use https",
		"https://a:hunter2@example.com":     "no user or password",
		"https://example.com/#hunter2":      "behind # comes",
		"https://example.com/#secret=x":     "env:NAME or file:PATH",
		"https://example.com/#secret=env:X": "the secret of env:X is not there",
		"https://example.com/#secret=env:SEALANE_TEST_SHORT":             "fewer than 16 bytes",
		"https://example.com/#secret=file:" + dir:                        "not a file with a secret",
		"https://example.com/#secret=file:" + filepath.Join(dir, "none"): "no such file",
		"syslog+udp://":              "no host",
		"syslog+udp://host:514/path": "and no more",
	} {
		if runtime.GOOS == "windows" && says == "no such file" {
			says = "cannot find"
		}
		if a, err := audit.OpenAnchor(address); err == nil || a != nil || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "hunter2") && !strings.HasPrefix(address, "file:") {
			t.Errorf("%s: %v %v", address, a, err)
		}
	}
}

// The secret of a webhook has 16 bytes at least, and a file of it 4 KiB at most.
func TestBoundsOfSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for size, says := range map[int]string{
		15: "fewer than 16 bytes", 16: "", 4 << 10: "", 4<<10 + 1: "is not a file with a secret",
	} {
		if err := os.WriteFile(path, bytes.Repeat([]byte{'s'}, size), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := audit.OpenAnchor("https://example.com/#secret=file:" + path)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestUDPSyslog(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m := write(t, 1)
	put(t, open(t, "syslog+udp://"+server.LocalAddr().String()), m.headAt(1))
	text := receive(t, server)
	form := regexp.MustCompile(
		`^<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]+ sealane \d+ audit-head - (.*)$`)
	want := form.FindStringSubmatch(text)
	head, _ := m.headAt(1).MarshalJSON()
	if want == nil || want[1] != string(head) {
		t.Errorf("%q", text)
	}
	saved := filepath.Join(t.TempDir(), "syslog")
	if err := os.WriteFile(saved, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if heads, _ := read(t, saved); !verify(t, m, heads...).Holds || len(heads) != 1 {
		t.Error(heads)
	}
	if err := open(t, "syslog+udp://"+server.LocalAddr().String()).Put(t.Context(), audit.Head{}); err == nil {
		t.Error("an empty head is sent")
	}
}

func receive(t *testing.T, server net.PacketConn) string {
	t.Helper()
	if err := server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, _, err := server.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

const secret = "0123456789abcdef-hunter2"

func TestWebhook(t *testing.T) {
	m := write(t, 2)
	var mu sync.Mutex
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		signed := r.Header.Get("Sealane-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil))
		if err != nil || r.Method != http.MethodPost || r.URL.String() != "/hook?token=hunter2" ||
			r.Header.Get("Content-Type") != "application/json" || !signed {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mu.Lock()
		bodies = append(bodies, string(body))
		mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SEALANE_TEST_SECRET", secret)
	for i, source := range []string{"env:SEALANE_TEST_SECRET", "file:" + path} {
		a := open(t, server.URL+"/hook?token=hunter2#secret="+source)
		if a.String() != server.URL {
			t.Errorf("%q tells too much", a)
		}
		put(t, a, m.headAt(i+1))
	}
	one, _ := m.headAt(1).MarshalJSON()
	two, _ := m.headAt(2).MarshalJSON()
	if !reflect.DeepEqual(bodies, []string{string(one), string(two)}) {
		t.Errorf("%q", bodies)
	}
	if err := open(t, server.URL+"/hook?token=hunter2").Put(t.Context(), m.headAt(1)); err == nil ||
		!strings.Contains(err.Error(), "record 1: it answers 403 Forbidden") || strings.Contains(err.Error(),
		"hunter2") {
		t.Error(err)
	}
}

// TestWebhookFails: whatever the server does, there is an error without secrets, and
// nothing is sent elsewhere.
func TestWebhookFails(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	stuck := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"it answers 307: redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"it answers 308: redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusPermanentRedirect)
		},
		"it answers 500 Internal": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.Copy(w, io.LimitReader(endless{}, 1<<20))
		},
		"it answers 299": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(299)
			_,
				_ = io.Copy(w, endless{})
		},
		"EOF": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"context canceled": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client is gone
			stuck <- struct{}{}
			<-r.Context().Done()
		},
	}
	m := write(t, 1)
	t.Setenv("SEALANE_TEST_SECRET", secret)
	for says, handler := range handlers {
		server := httptest.NewServer(handler)
		ctx, cancel := contextFor(t)
		if says == "context canceled" {
			go func() { <-stuck; cancel() }()
		}
		err := open(t, server.URL+"/hunter2?hunter2#secret=env:SEALANE_TEST_SECRET").Put(ctx, m.headAt(1))
		if says == "it answers 299" { // a success, however long the answer
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", says, err)
		}
		cancel()
		server.CloseClientConnections()
		server.Close()
	}
	if elsewhere != 0 {
		t.Errorf("%d requests went elsewhere", elsewhere)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if err := open(t, gone.URL+"/hunter2").Put(t.Context(), m.headAt(1)); err == nil || strings.Contains(err.Error(),
		"hunter2") {
		t.Error(err)
	}
	tls := httptest.NewUnstartedServer(handlers["it answers 299"])
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	if err := open(t, tls.URL).Put(t.Context(), m.headAt(1)); err == nil || !strings.Contains(err.Error(),
		"certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
}

// FuzzReadAnchors: the result can be used, and a line that was read is one that an anchor
// writes.
func FuzzReadAnchors(f *testing.F) {
	m := write(f, 2)
	good, _ := m.headAt(1).MarshalJSON()
	for _, seed := range []string{"", string(good), "x " + string(good) + "\n" + string(good[:40]) + "\n", "\x00\x00",
		"\n", "{}"} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "heads")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		heads, remarks, err := audit.ReadAnchors(path)
		if err != nil {
			if heads != nil || remarks != nil {
				t.Error("an error, and heads")
			}
			return
		}
		for _, h := range heads {
			line, err := h.MarshalJSON()
			if err != nil || !bytes.Contains(data, line) {
				t.Errorf("%s was read", line)
			}
		}
		if len(heads)+len(remarks) != len(bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))) &&
			len(data) > 0 {
			t.Errorf("%d heads, %q", len(heads), remarks)
		}
		if _, err := audit.Verify(t.Context(), m, heads); err != nil {
			t.Error(fmt.Errorf("can't be used: %w", err))
		}
	})
}
