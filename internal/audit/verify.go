package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

const (
	batch       = 256
	maxFindings = 100
	maxMoved    = 8
)

// Verify reads the whole log and checks that it is unchanged: that no record was edited,
// removed, inserted or moved; and, as far as the anchored heads reach, that no tail was cut
// off and no part of the chain was rewritten with new hashes. The log must be of one
// transaction.
//
// The error is not nil if the log could not be read, or if an anchor is not a head. Faults
// of the log are in the report.
func Verify(ctx context.Context, log Reader, anchors []Head) (Report, error) {
	c, err := newChain(anchors)
	if err != nil {
		return Report{}, err
	}
	head, err := log.AuditHead()
	if err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	if err := c.read(Records(ctx, log)); err != nil {
		return Report{}, err
	}
	c.compareHead(head)
	return c.end(), nil
}

// VerifySince is Verify for a log of which the records up to a head were verified before. That
// record must be as it was then; those before it are not read, and heads of them are not compared.
// The report's Head is where to go on the next time.
func VerifySince(ctx context.Context, log Reader, verified Head, anchors []Head) (Report, error) {
	if err := verified.check(); err != nil {
		return Report{}, fmt.Errorf("verify audit log: the head that was verified before: %w", err)
	}
	later := slices.DeleteFunc(slices.Clone(anchors), func(h Head) bool { return h.Seq < verified.Seq })
	c, err := newChain(append(later, verified))
	if err != nil {
		return Report{}, err
	}
	c.report.Anchors, c.report.Since = len(later), verified.Seq
	head, err := log.AuditHead()
	if err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	// The record itself is compared as one that is anchored, and what follows as by Verify.
	c.seq, c.held = verified.Seq-1, verified.Seq-1
	records, err := log.AuditRecords(verified.Seq-1, 1)
	if err != nil {
		return Report{}, fmt.Errorf("verify audit log: %w", err)
	}
	there := len(records) == 1 && records[0].Seq == verified.Seq
	switch {
	case there:
		c.hash = records[0].Previous
	case head.Seq < verified.Seq:
		c.seq, c.hash = head.Seq, head.Hash
	}
	if err := c.read(recordsAfter(ctx, log, verified.Seq-1)); err != nil {
		return Report{}, err
	}
	c.compareHead(head)
	if there { // it is none of the new ones, nor of the heads that were given
		c.report.Records--
	}
	if there && bytes.Equal(records[0].Hash, verified.Hash) {
		c.report.Held--
	}
	return c.end(), nil
}

func (c *chain) read(records iter.Seq2[Record, error]) error {
	for r, err := range records {
		if err != nil {
			return fmt.Errorf("verify audit log: %w", err)
		}
		c.add(r)
	}
	return nil
}

func (c *chain) compareHead(head Head) {
	if head.Seq != c.seq || head.Seq > 0 && !bytes.Equal(head.Hash, c.hash) {
		c.find(WrongHead, head.Seq, "the database says that the last record is %d; its last record is %d, or has "+
			"another hash", head.Seq, c.seq)
	}
}

// chain follows records one by one.
type chain struct {
	report  Report
	anchors map[int64][]Head
	highest Head // of the anchors

	seq       int64 // of the record that the next must follow
	hash, sum []byte
	time      time.Time
	held      int64 // the last anchor that matches
	rewritten bool  // an anchor after held does not match
}

func newChain(anchors []Head) (*chain, error) {
	zero := make([]byte, sha256.Size)
	c := &chain{anchors: map[int64][]Head{}, hash: zero, sum: zero}
	for _, a := range anchors {
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("anchored head: %w", err)
		}
		c.anchors[a.Seq] = append(c.anchors[a.Seq], a)
		if a.Seq > c.highest.Seq {
			c.highest = a
		}
	}
	c.report.Anchors = len(anchors)
	return c, nil
}

func (c *chain) add(r Record) {
	c.report.Records++
	if r.Flaw != "" && r.Seq == math.MaxInt64 { // it has no place in the chain
		c.find(Edited, c.seq+1, "a record of %q, behind record %d, was edited: %s", r.Subject, c.seq, r.Flaw)
		return
	}
	sum := Sum(r)
	if c.content(r, sum) {
		c.anchored(r)
	}
	switch {
	case r.Seq <= c.seq:
		c.find(WrongOrder, r.Seq, "record %d comes behind record %d", r.Seq, c.seq)
		return
	case r.Seq > c.seq+1:
		c.missing(c.seq+1, r.Seq-1)
	case !bytes.Equal(r.Previous, c.hash) && !bytes.Equal(r.Previous, c.sum):
		c.find(Broken, r.Seq, "record %d does not follow the record before it: one of the two was put in, or "+
			"changed and given a new hash", r.Seq)
	}
	if r.Time.Before(c.time) {
		if c.report.ClockBack == 0 {
			c.report.ClockBackAt = r.Seq
		}
		c.report.ClockBack++
	}
	c.seq, c.hash, c.sum, c.time = r.Seq, r.Hash, sum, r.Time
}

// content checks a record against its hash.
func (c *chain) content(r Record, sum []byte) bool {
	if err := r.check(); err != nil {
		c.find(Edited, r.Seq, "record %d was edited: %v", r.Seq, err)
		return false
	}
	if _, offset := r.Time.Zone(); offset != 0 {
		c.find(Edited, r.Seq, "record %d was edited: its time is not in UTC; searches can miss it", r.Seq)
		return false
	}
	if bytes.Equal(sum, r.Hash) {
		return true
	}
	if was, found := c.wasAt(r); found {
		c.find(Moved, r.Seq, "record %d was record %d: its place was changed", r.Seq, was)
	} else {
		c.find(Edited, r.Seq, "record %d was edited: it does not match its hash", r.Seq)
	}
	return false
}

// wasAt searches for a number near the record's with which it would match its hash.
func (c *chain) wasAt(r Record) (int64, bool) {
	if len(c.report.Findings) == maxFindings {
		return 0, false
	}
	at := r.Seq
	for r.Seq = max(1, at-maxMoved); r.Seq <= at+maxMoved; r.Seq++ {
		if r.Seq != at && bytes.Equal(Sum(r), r.Hash) {
			return r.Seq, true
		}
	}
	return 0, false
}

func (c *chain) missing(from, to int64) {
	text := fmt.Sprintf("records %d to %d are missing", from, to)
	if from == to {
		text = fmt.Sprintf("record %d is missing", from)
	}
	c.keep(Finding{Fault: Missing, Seq: from, To: to, Text: text})
}

// Of consecutive anchors that do not match, the first one locates the fault.
func (c *chain) anchored(r Record) {
	for _, a := range c.anchors[r.Seq] {
		if bytes.Equal(a.Hash, r.Hash) {
			c.report.Held++
			c.unanchored(r.Seq)
			c.held, c.report.AnchoredTo, c.rewritten = r.Seq, max(c.report.AnchoredTo, r.Seq), false
			continue
		}
		c.report.Refuted++
		if !c.rewritten {
			c.rewritten = true
			from := min(c.held+1, r.Seq)
			c.keep(Finding{Fault: Rewritten, Seq: from, To: r.Seq, Text: fmt.Sprintf(
				"record %d is not the one that was anchored: the chain was rewritten at one of the records %d to %d",
				r.Seq, from, r.Seq)})
		}
	}
}

// unanchored notes the stretch between the last head that held and this one.
func (c *chain) unanchored(seq int64) {
	switch {
	case c.held+1 >= seq:
	case len(c.report.Unanchored) < maxFindings:
		c.report.Unanchored = append(c.report.Unanchored, Stretch{c.held + 1, seq - 1})
	default:
		c.report.MoreUnanchored++
	}
}

func (c *chain) find(f Fault, seq int64, format string, args ...any) {
	c.keep(Finding{Fault: f, Seq: seq, Text: fmt.Sprintf(format, args...)})
}

func (c *chain) keep(f Finding) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, f)
	} else {
		c.report.More++
	}
}

func (c *chain) end() Report {
	if c.highest.Seq > c.seq {
		c.keep(Finding{Fault: Cut, Seq: c.seq + 1, To: c.highest.Seq, Text: fmt.Sprintf(
			"the log ends with record %d, but record %d was anchored: records %d to %d at least were cut off",
			c.seq, c.highest.Seq, c.seq+1, c.highest.Seq)})
	}
	c.report.Head = Head{Seq: c.seq, Hash: c.hash, Time: c.time}
	c.report.Holds = len(c.report.Findings) == 0
	return c.report
}
