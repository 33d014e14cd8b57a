package demo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

// exchanged are the keys that a request and its answer used, as the report calls them.
type exchanged struct {
	requestBy, requestTo string // signed by, encrypted to
	answerBy, answerTo   string
}

// note writes which keys were used.
func (e exchanged) note(n *notes) {
	n.add("request: signed by %s, encrypted to %s", e.requestBy, e.requestTo)
	n.add("answer:  signed by %s, encrypted to %s", e.answerBy, e.answerTo)
}

// exchange sends a request of the partner and its answer. The partner has the lane of its gateway, or another one.
func (p *play) exchange(client *sealane.Lane) (e exchanged, err error) {
	if err := errors.Join(p.us.refresh(p.ctx), p.them.refresh(p.ctx)); err != nil {
		return e, err
	}
	if client == nil {
		if client, err = p.them.lane(); err != nil {
			return e, err
		}
	}
	server, err := p.us.lane()
	if err != nil {
		return e, err
	}
	payload := fmt.Appendf(nil, `{"message":%d}`, p.messages+1)
	sealed, err := client.SealKeys()
	if err != nil {
		return e, err
	}
	token, err := client.AppendSealWith(p.ctx, nil, payload, sealed)
	if err != nil {
		return e, err
	}
	request, err := server.Open(p.ctx, token)
	if err != nil {
		return e, fmt.Errorf("the request: %w", err)
	}
	replied, err := server.ReplyKeys(request)
	if err != nil {
		return e, err
	}
	if token, err = server.AppendSealWith(p.ctx, nil, request.Payload(), replied); err != nil {
		return e, err
	}
	answer, err := client.Open(p.ctx, token)
	if err != nil {
		return e, fmt.Errorf("the answer: %w", err)
	}
	if !bytes.Equal(answer.Payload(), payload) {
		return e, errors.New("another payload has come back")
	}
	p.messages, p.talked = p.messages+1, p.clock
	ours, theirs := p.us.snap.Keys(p.us.name()), p.them.snap.Keys(p.them.name())
	p.us.usage.Opened(request, ours, p.clock)
	p.us.usage.Sealed(replied, ours, p.clock)
	p.them.usage.Sealed(sealed, theirs, p.clock)
	p.them.usage.Opened(answer, theirs, p.clock)
	return exchanged{
		requestBy: p.called(request.Signer()), requestTo: p.called(request.OpenedBy()),
		answerBy: p.called(answer.Signer()), answerTo: p.called(answer.OpenedBy()),
	}, nil
}

// called is what the report calls a key.
func (p *play) called(k keyring.KeyInfo) string { return p.keys[k.Fingerprint()] }

// message sends a request and its answer, writes the keys under a step, and compares them.
func (p *play) message(n *notes, client *sealane.Lane, want exchanged) error {
	got, err := p.exchange(client)
	if err != nil {
		return err
	}
	got.note(n)
	if got != want {
		return fmt.Errorf("the keys %+v were expected", want)
	}
	return nil
}
