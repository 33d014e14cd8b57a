package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Export writes the log as JSON lines, one for each record, as [Sum] describes them. It does not
// verify the log: [Verify] does, and [VerifyExport], which needs only the file.
func Export(ctx context.Context, log Reader, w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	err := each(ctx, log, func(r Record) error {
		line = append(r.appendLine(line[:0], true), '\n')
		_, err := b.Write(line)
		return err
	})
	if err == nil {
		err = b.Flush()
	}
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return nil
}

// VerifyExport is [Verify] for a file that [Export] wrote. A line that differs by a byte from
// what Export writes is a finding too.
func VerifyExport(r io.Reader, anchors []Head) (Report, error) {
	c, err := newChain(anchors)
	if err != nil {
		return Report{}, err
	}
	in := bufio.NewReaderSize(r, 16<<10)
	for n := int64(1); ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return c.end(), nil
		}
		if err != nil && !errors.Is(err, errLong) {
			return Report{}, fmt.Errorf("verify audit export: line %d: %w", n, err)
		}
		var record Record
		switch {
		case err != nil:
			c.unreadable(n, "is longer than a record may be")
		case json.Unmarshal(line, &record) != nil:
			c.unreadable(n, "is not a record; was the file cut, or edited?")
		case !bytes.Equal(line, record.appendLine(nil, true)):
			c.unreadable(n, "is not as an export writes it: it was edited")
		default:
			c.add(record)
		}
	}
}

func (c *chain) unreadable(line int64, why string) {
	c.keep(Finding{Fault: Unreadable, Seq: c.seq + 1, Line: line, Text: fmt.Sprintf("line %d, behind record %d, %s",
		line, c.seq, why)})
}

var errLong = errors.New("the line is too long")

// readLine returns the next line without its end. It skips a line that is longer than a record,
// and returns errLong.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > MaxRecord+1; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(part) == 0 && len(line) == 0 && !long:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case long:
			return nil, errLong
		}
		return bytes.TrimSuffix(line, []byte("\n")), nil
	}
}
