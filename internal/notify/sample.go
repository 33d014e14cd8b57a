package notify

import "fmt"

// Sample returns the subject and the text of a mail of a kind with made-up certificates. The problem is as
// that of [Templates.Render].
func (t *Templates) Sample(k Kind) (text string, problem, err error) {
	if _, known := t.builtin[k]; !known {
		return "", nil, fmt.Errorf("there is no kind of mail %.40q; the kinds are %v", k, Kinds())
	}
	subject, text, _, problem := t.Render(samples(k)[0])
	return "Subject: " + subject + "\n\n" + text, problem, nil
}
