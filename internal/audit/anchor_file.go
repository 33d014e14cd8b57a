package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/sealane/sealane/internal/newfile"
)

type file struct {
	path string
	mu   sync.Mutex
}

func openFile(path string) (Anchor, error) {
	if path == "" || strings.HasPrefix(path, "//") {
		return nil, fmt.Errorf("anchor file:%s: write file:PATH, without a host", path)
	}
	a := &file{path: path}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("anchor %s: %w", a, err)
	}
	if _, err := a.look(); err != nil {
		return nil, fmt.Errorf("anchor %s: %w", a, err)
	}
	return a, nil
}

func (a *file) String() string { return "file:" + a.path }

// look reports whether the file exists. It refuses a pipe, because opening one would wait for a
// reader.
func (a *file) look() (bool, error) {
	info, err := os.Stat(a.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, errors.New("it is not a regular file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return false, fmt.Errorf("others may write it (%v): chmod 600 it, and look at what is in it",
			info.Mode().Perm())
	}
	return true, nil
}

func (a *file) Put(ctx context.Context, h Head) error {
	if err := errors.Join(ctx.Err(), h.check()); err != nil {
		return refused(a, h, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.append(h); err != nil {
		return refused(a, h, err)
	}
	return nil
}

func (a *file) append(h Head) error {
	there, err := a.look()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(a.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	torn, err := endsTorn(f)
	if err != nil {
		return err
	}
	var line []byte
	if torn {
		line = append(line, '\n')
	}
	line = append(h.appendLine(line), '\n')
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if there {
		return nil
	}
	return newfile.SyncFolder(filepath.Dir(a.path))
}

func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return last[0] != '\n', err
}

const maxAnchorLine = 4 << 10

// ReadAnchors returns the heads in a file that an anchor wrote, or in another file with a head at
// the end of each line, such as a syslog's. It skips a line that a crash left unfinished, with a
// remark. Any other line without a head is an error.
func ReadAnchors(path string) (heads []Head, remarks []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("anchors: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, maxAnchorLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return heads, remarks, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, nil, fmt.Errorf("anchors: %s: line %d is longer than %d bytes: not an anchors file",
				path, n, maxAnchorLine)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("anchors: %s: line %d: %w", path, n, err)
		}
		line = bytes.TrimRight(line, "\r\n")
		h, ok := headIn(line)
		switch {
		case ok:
			heads = append(heads, h)
		case tornHead(line):
			remarks = append(remarks, fmt.Sprintf("%s: line %d is unfinished, as a crash leaves it; it is passed over",
				path, n))
		default:
			return nil, nil, fmt.Errorf("anchors: %s: line %d has no head: the file was edited, or is another",
				path, n)
		}
	}
}

var headStart = []byte(`{"seq":`)

func headIn(line []byte) (Head, bool) {
	at := bytes.Index(line, headStart)
	if at < 0 {
		return Head{}, false
	}
	var h Head
	if json.Unmarshal(line[at:], &h) != nil || h.check() != nil || !bytes.Equal(h.appendLine(nil), line[at:]) {
		return Head{}, false
	}
	return h, true
}

// tornHead reports whether the line could have become a head.
// A file system may leave zeros where the line would be.
func tornHead(line []byte) bool {
	if len(line) > 0 {
		if line = bytes.Trim(line, "\x00"); len(line) == 0 {
			return true
		}
	}
	if len(line) < len(headStart) {
		return len(line) > 0 && bytes.HasPrefix(headStart, line)
	}
	return bytes.Contains(line, headStart) && !bytes.HasSuffix(line, []byte("}"))
}
