package sealhttp

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/profile"
)

var titleForm = regexp.MustCompile(`(?is)<title[^<>]*>\s*([^<]{1,100})`)

// strangeBody says what a body is that has no token and was not written by the partner's program,
// or was changed on its way. It returns "" for any other.
func strangeBody(header http.Header, body []byte) string {
	const longest = 60 // of a header's value that is repeated
	coding := strings.Join(header.Values("Content-Encoding"), ", ")
	switch kind := filekind.Of(body); {
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return fmt.Sprintf("The body is compressed: its Content-Encoding is %.*q, for which nobody asked.", longest,
			coding)
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return fault.BodyBOM.Meaning() + fmt.Sprintf(" [%s]", fault.BodyBOM)
	case kind == filekind.HTML:
		text := "It is an HTML page"
		if title := titleForm.FindSubmatch(body); title != nil {
			text += fmt.Sprintf(" with the title %q", html.UnescapeString(strings.TrimSpace(string(title[1]))))
		}
		return fmt.Sprintf("%s (Content-Type %.*q), probably of a proxy or a firewall between you and the partner.",
			text, longest, header.Get("Content-Type"))
	case kind == filekind.Gzip:
		return "The bytes are compressed by gzip, and no Content-Encoding says so."
	}
	return ""
}

// redirectedTo says where a response redirects to. The values of a path's variables are
// identifiers, so that the path is left out if the endpoint has variables.
func redirectedTo(response *http.Response, endpoint profile.Match) string {
	to, err := response.Location()
	if err != nil {
		return ""
	}
	to.RawQuery, to.Fragment, to.User = "", "", nil
	if strings.Contains(endpoint.Path(), "{") {
		to.Path, to.RawPath = "", ""
	}
	return fmt.Sprintf("to %.200q; ask the partner whether that address is theirs", to)
}
