package notify

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/readlimit"
)

// Templates are the texts of all kinds of mails.
//
// The built-in ones can be replaced, part by part, by files in a folder: KIND.subject and KIND.txt (text/template),
// and KIND.html (html/template). A template gets [Facts], whose values are printable. It must write the serial
// number of each certificate in both notations, and [Certificate.End]; a subject is one line; and there is no link,
// and nothing that a reader of mails would fetch. What does not hold to that is not used.
type Templates struct {
	builtin  map[Kind]*template.Template // defines subject, opening and steps
	replaced map[Kind]replacement
}

// replacement are the parts of a kind that a folder replaces. Each may be nil.
type replacement struct {
	subject, text *template.Template
	html          *htmltemplate.Template
}

//go:embed builtin
var builtin embed.FS

var (
	textLayout = template.Must(template.ParseFS(builtin, "builtin/layout.txt"))
	htmlLayout = htmltemplate.Must(htmltemplate.ParseFS(builtin, "builtin/layout.html"))
	answer     = template.Must(template.ParseFS(builtin, "builtin/answer.txt"))
)

// maxTemplate limits the file of a template, in bytes.
const maxTemplate = 64 << 10

// The parts of a mail.
const (
	partSubject = "subject"
	partText    = "txt"
	partHTML    = "html"
)

// LoadTemplates returns the built-in templates with those of a folder in their place. Without a folder ("") they are
// the built-in ones. Each template is tried with each kind of facts. One that can't be used is not, and there is an
// error that names its file, and the line where there is one.
func LoadTemplates(dir string) (*Templates, []error) {
	t := &Templates{builtin: map[Kind]*template.Template{}, replaced: map[Kind]replacement{}}
	for _, k := range Kinds() {
		t.builtin[k] = template.Must(template.ParseFS(builtin, "builtin/"+string(k)+".txt"))
	}
	if dir == "" {
		return t, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return t, []error{fmt.Errorf("templates: %w", err)}
	}
	var problems []error
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if err := t.replace(file, entry.Name()); err != nil {
			problems = append(problems, err)
		}
	}
	return t, problems
}

// replace puts the template of a file in the place of a built-in one.
func (t *Templates) replace(file, name string) error {
	kind, part, _ := strings.Cut(name, ".")
	k := Kind(kind)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
		return nil // of an editor
	}
	if !slices.Contains(Kinds(), k) || !slices.Contains([]string{partSubject, partText, partHTML}, part) {
		return fmt.Errorf("%s: it is not the name of a template: there are KIND.subject, KIND.txt and KIND.html, and "+
			"the kinds are %v", file, Kinds())
	}
	data, err := readlimit.File(file, maxTemplate)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	before := t.replaced[k]
	r := before
	switch part {
	case partSubject:
		r.subject, err = template.New(file).Parse(string(data))
	case partText:
		r.text, err = template.New(file).Parse(string(data))
	case partHTML:
		r.html, err = htmltemplate.New(file).Parse(string(data))
	}
	if err != nil {
		return err
	}
	t.replaced[k] = r
	for _, f := range samples(k) {
		if _, _, _, problem := t.Render(f); problem != nil {
			t.replaced[k] = before
			return problem
		}
	}
	return nil
}

// Render writes the mail that says the facts. A problem says that a template of the folder failed, or that its output
// lacks what must be in it, or has what must not: the built-in ones were used for this mail.
func (t *Templates) Render(f Facts) (subject, text, html string, problem error) {
	f = f.printable()
	subject, text, html, err := t.render(f, t.replaced[f.Kind])
	if err == nil {
		return subject, text, html, nil
	}
	subject, text, html, again := t.render(f, replacement{})
	return subject, text, html, errors.Join(err, again)
}

// render writes the mail with the built-in templates, but for those that are replaced.
func (t *Templates) render(f Facts, r replacement) (subject, text, html string, err error) {
	own := t.builtin[f.Kind]
	if own == nil {
		return "", "", "", fmt.Errorf("there is no mail of the kind %q", f.Kind)
	}
	page := layout{Facts: f}
	for _, part := range []struct {
		list *[]string
		from *template.Template
	}{{&page.Opening, own.Lookup("opening")}, {&page.Steps, own.Lookup("steps")}, {&page.Answer, answer}} {
		if *part.list, err = paragraphs(part.from, f); err != nil {
			return "", "", "", err
		}
	}
	first := cmp.Or(r.subject, own.Lookup(partSubject))
	if subject, err = execute(first, f); err != nil {
		return "", "", "", err
	}
	if subject = strings.TrimSpace(subject); r.subject != nil {
		if err := checkSubject(subject); err != nil {
			return "", "", "", fmt.Errorf("%s: %w", r.subject.Name(), err)
		}
	}
	page.Subject = subject
	if r.text != nil {
		text, err = execute(r.text, f)
	} else {
		text, err = execute(textLayout, page)
	}
	if err != nil {
		return "", "", "", err
	}
	if r.html != nil {
		html, err = execute(r.html, f)
	} else {
		html, err = execute(htmlLayout, page)
	}
	if err != nil {
		return "", "", "", err
	}
	return subject, text, html, checkOutput(f, r, text, html)
}

// layout is what the built-in layouts get.
type layout struct {
	Facts
	Subject string

	Opening, Steps, Answer []string // paragraphs
}

// paragraphs executes a built-in template, and returns its paragraphs in lines of a mail's length.
func paragraphs(t *template.Template, f Facts) (list []string, err error) {
	text, err := execute(t, f)
	for one := range strings.SplitSeq(text, "\n\n") {
		if one = wrap(one); one != "" {
			list = append(list, one)
		}
	}
	return list, err
}

// wrap returns text in lines of up to 76 characters.
func wrap(text string) string {
	const width = 76
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+length > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}

// execute returns what a template writes, up to a limit.
func execute(t interface {
	Name() string
	Execute(w io.Writer, data any) error
}, data any) (string, error) {
	w := limited{}
	err := t.Execute(&w, data)
	if errors.Is(err, errLong) {
		err = fmt.Errorf("%s: %w", t.Name(), err)
	}
	return w.b.String(), err
}

// limited takes as many bytes as a mail may have.
type limited struct{ b bytes.Buffer }

var errLong = fmt.Errorf("its output has more than %d bytes", maxRendered)

func (w *limited) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > maxRendered {
		return 0, errLong
	}
	return w.b.Write(p)
}
