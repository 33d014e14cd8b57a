package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sealane/sealane/internal/audit"
)

func export(t testing.TB, m *memory) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := audit.Export(t.Context(), m, &file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func verifyFile(t testing.TB, file []byte, anchors ...audit.Head) audit.Report {
	t.Helper()
	report, err := audit.VerifyExport(bytes.NewReader(file), anchors)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestEveryByteOfAnExport: a byte that is changed, removed or inserted is detected.
func TestEveryByteOfAnExport(t *testing.T) {
	file := export(t, write(t, 3))
	if !verifyFile(t, file).Holds {
		t.Fatal(verifyFile(t, file))
	}
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= []byte{1, 0x20, 0x80}[i%3]
		if verifyFile(t, changed).Holds {
			t.Errorf("byte %d: %q for %q", i, changed[i], file[i])
		}
		without := append(bytes.Clone(file[:i]), file[i+1:]...)
		if last := i == len(file)-1; verifyFile(t, without).Holds != last { // the end of the last line is not checked
			t.Errorf("without byte %d, %q", i, file[i])
		}
		more := []string{" ", "\r", "\n", "0", "\x00"}[i%5]
		if with := append(append(bytes.Clone(file[:i]), more...), file[i:]...); verifyFile(t, with).Holds {
			t.Errorf("with %q before byte %d, %q", more, i, file[i])
		}
	}
}

// TestCutExport: a file that was cut inside a line is detected by itself, and one that was
// cut at a line's end by the anchor.
func TestCutExport(t *testing.T) {
	m := write(t, 4)
	file := export(t, m)
	for n := range len(file) - 1 {
		report := verifyFile(t, file[:n], m.headAt(4))
		if report.Holds || report.Findings[len(report.Findings)-1].Fault != audit.Cut {
			t.Errorf("%d bytes: %v", n, report)
		}
		torn := n > 0 && file[n-1] != '\n' && file[n] != '\n'
		if got := has(verifyFile(t, file[:n]), audit.Unreadable,
			int64(bytes.Count(file[:n], []byte("\n"))+1)); got != torn {
			t.Errorf("%d bytes: torn %t, found %t", n, torn, got)
		}
	}
}

func TestExportLines(t *testing.T) {
	file := export(t, write(t, 3))
	lines := bytes.SplitAfter(file, []byte("\n"))
	double := strings.Replace(string(lines[1]), `"actor":`, `"actor":"nobody","actor":`, 1)
	report := verifyFile(t, bytes.Join([][]byte{lines[0], []byte(double), lines[2]}, nil))
	if !has(report, audit.Unreadable, 2) || !has(report, audit.Missing, 2) || report.Findings[0].Line != 2 ||
		!strings.Contains(report.String(), "line 2, behind record 1, is not as an export writes it") {
		t.Error(report)
	}
	long := io.MultiReader(bytes.NewReader(lines[0]), io.LimitReader(endless{}, 9<<20), bytes.NewReader([]byte("\n")),
		bytes.NewReader(lines[1]))
	if report, err := audit.VerifyExport(long, nil); err != nil || len(report.Findings) != 1 ||
		report.Findings[0].Line != 2 || report.Records != 2 {
		t.Error(report, err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestNotExported(t *testing.T) {
	broken := errors.New("broken")
	m := write(t, 3)
	if _, err := audit.VerifyExport(iotest.ErrReader(broken), nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := audit.VerifyExport(strings.NewReader(""), []audit.Head{{}}); err == nil {
		t.Error("an empty head is an anchor")
	}
	if err := audit.Export(t.Context(), failing{m, broken}, io.Discard); !errors.Is(err, broken) {
		t.Error(err)
	}
	r, w := io.Pipe()
	r.CloseWithError(broken)
	if err := audit.Export(t.Context(), m, w); !errors.Is(err, broken) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := audit.Export(ended, m, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzVerifyExport: a file is valid exactly if its lines are those of its records.
func FuzzVerifyExport(f *testing.F) {
	m := write(f, 3)
	file := export(f, m)
	for _, seed := range [][]byte{file, file[:300], nil, []byte("{}\n"), []byte("\n"),
		bytes.Replace(file, []byte("ann-1"), []byte("nobody"), 1)} {
		f.Add(seed)
	}
	anchor := m.headAt(3)
	f.Fuzz(func(t *testing.T, file []byte) {
		report := verifyFile(t, file, anchor)
		whole := append(bytes.TrimSuffix(bytes.Clone(file), []byte("\n")), '\n')
		if report.Holds && !bytes.HasPrefix(whole, export(t, m)) {
			t.Errorf("%q holds", file)
		}
		if report.Holds != (len(report.Findings) == 0) || report.String() == "" {
			t.Error(report)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	m := write(b, 250)
	for b.Loop() {
		if report, err := audit.Verify(b.Context(), m, nil); err != nil || !report.Holds {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/250, "µs/record")
}
