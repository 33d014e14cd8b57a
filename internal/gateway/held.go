package gateway

import (
	"errors"
	"io"
	"sync"
)

// held bounds the bytes that the sealed messages of an egress hold at once: half of them for requests, and half
// for answers, so that neither uses up the other's. On an ingress sealhttp.Handler does this.
type held struct {
	mu    sync.Mutex
	most  int64
	bytes map[leg]int64
}

// leg is one half of an exchange.
type leg string

const (
	requestLeg leg = "request"
	answerLeg  leg = "answer"
)

// heldFor is how many bytes are held for each byte that arrives: the buffer it is read into, and the sealed or
// opened message.
var heldFor = map[leg]int64{requestLeg: 4, answerLeg: 3}

func newHeld() *held { return &held{bytes: map[leg]int64{}} }

func (h *held) set(most int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.most = most
}

var errMemory = errors.New("too many bytes of messages are held at the moment (limits.memory)")

// heldBody is a body of a sealed message. What was read of it is held until free is called.
type heldBody struct {
	io.ReadCloser
	held  *held
	leg   leg
	bytes int64
}

// held returns a body of a sealed message of the exchange, which is held until the exchange ends.
func (x *exchange) held(body io.ReadCloser, l leg) io.ReadCloser {
	b := &heldBody{ReadCloser: body, held: x.route.held, leg: l}
	x.ends = append(x.ends, b.free)
	return b
}

// Read returns errMemory where there is no space for what arrived. The largest message is served alone.
func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	more := heldFor[b.leg] * int64(n)
	b.held.mu.Lock()
	defer b.held.mu.Unlock()
	others := b.held.bytes[b.leg] - b.bytes
	if others > 0 && others+b.bytes+more > b.held.most/2 {
		return 0, errMemory
	}
	b.bytes += more
	b.held.bytes[b.leg] += more
	return n, err
}

// free has nothing held any more.
func (b *heldBody) free() {
	b.held.mu.Lock()
	defer b.held.mu.Unlock()
	b.held.bytes[b.leg] -= b.bytes
	b.bytes = 0
}
