package lanedir_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/lanedir"
	"github.com/sealane/sealane/sealhttp"
)

// A customer renews its key pair while messages flow, with keys in files. Two rules lead through it: each
// side accepts what the other may use (staged, retiring), and uses only what the other surely accepts
// (active). Each step is one file, lane.yaml, on one side, and there is no appointment: answers follow
// their requests, so a machine of the customer that still has the old pair alone is answered too.
func Example_rotation() {
	dir, err := os.MkdirTemp("", "rotation")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	customer, late := filepath.Join(dir, "customer"), filepath.Join(dir, "late")
	provider := filepath.Join(dir, "provider")
	for _, folder := range []string{customer, late, provider} {
		must(os.Mkdir(folder, 0o700))
	}
	makePair("old", []string{customer, late}, provider)
	makePair("new", []string{customer}, provider) // the certificate goes to the provider when the pair is staged
	makePair("provider", []string{provider}, customer, late)

	const old, both = "{file: old.%s, key_id: old, state: %s}", "{file: old.%s, key_id: old, state: %s}, " +
		"{file: new.%[1]s, key_id: new, state: %[3]s}"
	describe(customer, "client", fmt.Sprintf(old, "key", "active"), "provider.cer")
	describe(late, "client", fmt.Sprintf(old, "key", "active"), "provider.cer")
	describe(provider, "server", "provider.key", fmt.Sprintf(old, "cer", "active"))
	ours, theirs, machine := openLane(customer), openLane(provider), openLane(late)
	server := httptest.NewServer(&sealhttp.Handler{Lane: theirs.LaneFunc, Next: http.HandlerFunc(evaluate)})
	defer server.Close()
	call := func(step string, from *lanedir.Folder) {
		fmt.Printf("%-34s %s\n", step, post(server.URL, from))
	}
	call("before", ours)

	// The new pair opens messages before its certificate leaves.
	describe(customer, "client", fmt.Sprintf(both, "key", "active", "staged"), "provider.cer")
	reload(ours)
	call("customer: new is staged", ours)

	// The provider verifies by both certificates, and goes on encrypting to the old one.
	describe(provider, "server", "provider.key", fmt.Sprintf(both, "cer", "active", "staged"))
	reload(theirs)
	call("provider: new is staged", ours)

	// The provider has confirmed that it is installed: the customer signs by the new pair.
	describe(customer, "client", fmt.Sprintf(both, "key", "retiring", "active"), "provider.cer")
	reload(ours)
	call("customer: new is active", ours)
	call("a machine that has old alone", machine)

	// The provider begins to use the new certificate. The old one still verifies.
	describe(provider, "server", "provider.key", fmt.Sprintf(both, "cer", "retiring", "active"))
	reload(theirs)
	call("provider: new is active", ours)
	call("a machine that has old alone", machine)

	// Nobody uses the old one any more: it is removed.
	describe(provider, "server", "provider.key", "{file: new.cer, key_id: new, state: active}")
	reload(theirs)
	call("provider: old has ended", ours)
	call("a machine that has old alone", machine)
	// Output:
	// before                             signed by old, answer opened by old
	// customer: new is staged            signed by old, answer opened by old
	// provider: new is staged            signed by old, answer opened by old
	// customer: new is active            signed by new, answer opened by new
	// a machine that has old alone       signed by old, answer opened by old
	// provider: new is active            signed by new, answer opened by new
	// a machine that has old alone       signed by old, answer opened by old
	// provider: old has ended            signed by new, answer opened by new
	// a machine that has old alone       refused
}

// evaluate is the provider's service. It answers who has signed the request.
func evaluate(w http.ResponseWriter, r *http.Request) {
	message, _ := sealhttp.MessageFrom(r.Context())
	if verified, ok := message.(*sealane.Verified); ok {
		fmt.Fprintf(w, `{"signer":%q}`, verified.Signer().ID)
	}
}

// post sends a request, and says which keys it and its answer used.
func post(url string, lane *lanedir.Folder) string {
	client := &http.Client{Transport: &sealhttp.Transport{Lane: lane.LaneFunc}}
	answer, err := client.Post(url+"/api/evaluation", "application/json", strings.NewReader(`{"id":"r-1"}`))
	if err != nil {
		return "refused"
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(err)
	message, _ := sealhttp.MessageFrom(answer.Request.Context())
	verified, ok := message.(*sealane.Verified)
	if answer.StatusCode != http.StatusOK || !ok {
		return "refused"
	}
	signer := strings.TrimSuffix(strings.TrimPrefix(string(body), `{"signer":"`), `"}`)
	return fmt.Sprintf("signed by %s, answer opened by %s", signer, verified.OpenedBy().ID)
}

// makePair makes a key pair: its private key is written for its owner's machines, and its certificate for
// the partner.
func makePair(name string, owner []string, partner ...string) {
	key, err := cert.GenerateKey(2048)
	must(err)
	c, err := cert.Create(key, cert.Template{
		CommonName: name + ".example", Organization: "Example", Unit: "Keys", Email: "keys@example.com",
		NotBefore: time.Now().Add(-time.Minute), Validity: 2, Usages: []string{"digitalSignature", "keyEncipherment"},
	})
	must(err)
	private, err := keyfile.EncodePrivate(key, nil)
	must(err)
	for _, folder := range owner {
		must(os.WriteFile(filepath.Join(folder, name+".key"), private, 0o600))
	}
	for _, folder := range partner {
		must(os.WriteFile(filepath.Join(folder, name+".cer"), cert.EncodePEM(c), 0o600))
	}
}

// describe writes the lane.yaml of one side. A program writes a new file and renames it, so that nobody reads
// half of it.
func describe(folder, side, ours, theirs string) {
	text := fmt.Sprintf("profile: riskos\nside: %s\nenvironment: SANDBOX\nours: [%s]\ntheirs: [%s]\n",
		side, ours, theirs)
	file := filepath.Join(folder, lanedir.FileName)
	must(os.WriteFile(file+".new", []byte(text), 0o600))
	must(os.Rename(file+".new", file))
}

func openLane(folder string) *lanedir.Folder {
	f, err := lanedir.Open(context.Background(), folder, lanedir.Options{})
	must(err)
	return f
}

// reload reads a lane again. [lanedir.Folder.Watch] does so by itself.
func reload(f *lanedir.Folder) {
	if changed, err := f.Reload(context.Background()); err != nil || !changed {
		log.Fatal(changed, err)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
