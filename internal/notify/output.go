package notify

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// checkSubject refuses what is not one line of a fair length.
func checkSubject(subject string) error {
	switch {
	case subject == "":
		return errors.New("the subject is empty")
	case strings.ContainsAny(subject, "\r\n"):
		return errors.New("the subject has several lines")
	}
	return nil
}

// checkOutput returns an error if the output of a template lacks what must be in it, or has what must not.
func checkOutput(f Facts, r replacement, text, page string) error {
	if r.text != nil {
		if err := checkPart(f, text); err != nil {
			return fmt.Errorf("%s: %w", r.text.Name(), err)
		}
	}
	if r.html != nil {
		shown, err := shownText(page)
		if err == nil {
			err = checkPart(f, shown)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.html.Name(), err)
		}
	}
	return nil
}

// checkPart checks what the reader of one form of a mail sees.
func checkPart(f Facts, shown string) error {
	if strings.Contains(shown, "://") {
		return errors.New("its output has a link: readers of mails, and programs that scan them, open links")
	}
	for _, c := range f.Certificates {
		for _, must := range []struct{ what, value, field string }{
			{"serial number in hexadecimal notation", strings.TrimPrefix(c.Hexadecimal(), "0x"), "Hexadecimal"},
			{"serial number in decimal notation", c.SerialDecimal, "SerialDecimal"},
			{"end", c.End(), "End"},
		} {
			if !strings.Contains(strings.ToUpper(shown), strings.ToUpper(must.value)) {
				return fmt.Errorf("its output lacks the %s of certificate %s: write {{.%s}} for each of .Certificates",
					must.what, c.CommonName, must.field)
			}
		}
	}
	return nil
}

// The elements and attributes that HTML of a mail may have: none of them makes a reader of mails fetch anything.
var (
	elements = strings.Fields("html head title meta body div span p br hr h1 h2 h3 h4 table caption thead tbody " +
		"tfoot tr th td ul ol li dl dt dd strong em b i u small code pre blockquote")
	attributes = strings.Fields("lang dir charset style class align valign width cellpadding cellspacing border " +
		"colspan rowspan scope")
)

// shownText returns the text of HTML that html/template wrote, so that it has no comments. It refuses what a reader of
// mails would fetch or open.
func shownText(page string) (string, error) {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return "", err
			}
			return b.String(), nil
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			if err := checkElement(z.Token()); err != nil {
				return "", err
			}
		}
	}
}

func checkElement(t html.Token) error {
	if !slices.Contains(elements, t.Data) {
		return fmt.Errorf("its output has the element <%.40s>: a mail has text and tables, no links or images",
			t.Data)
	}
	for _, a := range t.Attr {
		value := strings.ToLower(a.Val)
		if !slices.Contains(attributes, a.Key) || strings.ContainsAny(value, `\`) || strings.Contains(value, "url") ||
			strings.Contains(value, "image") || strings.Contains(value, "@") {
			return fmt.Errorf("its output has an attribute %.40q of <%s> that is not allowed, or with such a value",
				a.Key, t.Data)
		}
	}
	return nil
}
