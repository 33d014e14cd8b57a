package operation

import (
	"context"
	"io"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// Parts of notices and mails.
type (
	Mail          = registry.Mail
	MailCount     = registry.MailCount
	MailState     = registry.MailState
	Notice        = registry.Notice
	NoticeAck     = renewal.Ack
	NoticeLetter  = renewal.SendLetter
	NoticeReason  = renewal.Explained
	NoticeBounced = renewal.Bounced
	NoticeKind    = registry.NoticeKind
)

// NoticeQuery selects mails. Empty fields select all.
type NoticeQuery struct {
	Partner string `json:"partner,omitempty"`
	To      string `json:"to,omitempty"`
	Open    bool   `json:"open,omitempty"` // those that have not ended
	// Since selects those that have ended since a time.
	Since time.Time `json:"since,omitzero"`
	After string    `json:"after,omitempty"` // start after this mail
	Limit int       `json:"limit,omitempty"` // 1 to 1,000; 0: 100
}

// NoticeList is a page of mails.
type NoticeList struct {
	Mails  []MailWithNotices `json:"mails"`
	Counts []MailCount       `json:"waiting,omitempty"`
	More   string            `json:"more,omitempty"` // After of the next page
	Damage
}

// MailWithNotices is a mail with the notices that are in it.
type MailWithNotices struct {
	Mail
	Notices []Notice `json:"notices,omitempty"`
}

// ListNotices lists the mails of the outbox, with the notices in them.
var ListNotices = reading("ListNotices",
	func(ctx context.Context, v *registry.Viewer, in NoticeQuery) (out NoticeList, err error) {
		q := registry.MailQuery{
			Page: registry.Page{After: in.After, Limit: in.Limit}, Partner: in.Partner, To: in.To,
			EndedSince: in.Since,
		}
		if in.Open {
			q.States = registry.MailsOpen
		}
		err = v.View(ctx, func(tx registry.Reader) error {
			page, damaged, err := registry.Readable(tx.Mails(q))
			if err != nil {
				return err
			}
			out.lack(damaged)
			for _, m := range page {
				notices, _, err := registry.Readable(tx.NoticesOf(m.ID))
				if err != nil {
					return err
				}
				out.Mails, out.More = append(out.Mails, MailWithNotices{m, notices}), m.ID
			}
			if len(page) < limitOf(in.Limit) {
				out.More = ""
			}
			out.Counts, err = tx.MailCounts()
			return err
		})
		return out, err
	})

func limitOf(limit int) int {
	if limit <= 0 {
		return 100
	}
	return min(limit, 1000)
}

// NoticePreview asks for a mail as it would be sent.
type NoticePreview struct {
	Mail   string `json:"mail"`
	Config string `json:"config,omitempty"` // the file that says how people are told
}

// NoticeText is a mail as it would be sent.
type NoticeText struct {
	Mail
	Message []byte `json:"message"` // RFC 5322
	// Problems are those of templates that were replaced.
	Problems []string `json:"problems,omitempty"`
}

// PreviewNotice returns a mail as it was sent, or as it would be sent now.
var PreviewNotice = reading("PreviewNotice",
	func(ctx context.Context, v *registry.Viewer, in NoticePreview) (out NoticeText, err error) {
		c, err := readNotify(in.Config)
		if err != nil {
			return out, err
		}
		templates, problems := notify.LoadTemplates(c.TemplatesFolder())
		for _, p := range problems {
			out.Problems = append(out.Problems, p.Error())
		}
		out.Mail, out.Message, err = renewal.Preview(ctx, v, in.Mail, c, templates)
		return out, err
	})

// SampleNotice returns the mail of a kind as the templates of a configuration write it, with made-up
// certificates. It needs no registry.
func SampleNotice(config string, kind NoticeKind) (text string, problems []error, err error) {
	c, err := readNotify(config)
	if err != nil {
		return "", nil, err
	}
	templates, problems := notify.LoadTemplates(c.TemplatesFolder())
	text, problem, err := templates.Sample(notify.Kind(kind))
	if problem != nil {
		problems = append(problems, problem)
	}
	return text, problems, err
}

// NoticeKinds returns the kinds of mails that have templates.
func NoticeKinds() []NoticeKind {
	var all []NoticeKind
	for _, k := range notify.Kinds() {
		all = append(all, NoticeKind(k))
	}
	return all
}

// NoticeWhy asks why notices about something were sent, or were not.
type NoticeWhy struct {
	renewal.WhyOf
	// Config is the file that names our own people and templates. Empty: our own people are the operators.
	Config string `json:"config,omitempty"`
}

// WhyNotice says why notices were sent, or were not.
var WhyNotice = reading("WhyNotice",
	func(ctx context.Context, v *registry.Viewer, in NoticeWhy) (NoticeReason, error) {
		c, err := readNotify(in.Config)
		if err != nil {
			return NoticeReason{}, err
		}
		return renewal.Explain(ctx, v, in.WhyOf, c.Operations)
	})

// readNotify returns the configuration of a file, or the zero value without one.
func readNotify(file string) (*notify.Config, error) {
	if file == "" {
		return &notify.Config{}, nil
	}
	return notify.Read(file)
}

// AckNotices stops the notices of a renewal until a time.
var AckNotices = onRenewal("AckNotices", registry.ActionNoticeAck, renewal.Renewals.Ack)

// PlannedLetters are letters that were put into the outbox.
type PlannedLetters struct {
	Mails []Mail `json:"mails"`
}

// PlanLetter puts a letter about a certificate into the outbox.
var PlanLetter = changing("PlanLetter", registry.ActionNoticeLetter,
	func(ctx context.Context, s *Session, in NoticeLetter) (out PlannedLetters, err error) {
		out.Mails, err = renewal.New(s.Session).SendLetter(ctx, in)
		return out, err
	})

// MailSent records that a person has sent a mail of the outbox.
var MailSent = changing("MailSent", registry.ActionNoticeSend,
	func(ctx context.Context, s *Session, in ID) (Mail, error) {
		return renewal.New(s.Session).SentByPerson(ctx, in.ID)
	})

// SentBy returns who has sent a mail by hand, or "".
func SentBy(m Mail) string { return renewal.SentBy(m) }

// IsMail reports whether an identity is that of a mail.
func IsMail(id string) bool { return registry.IsMail(id) }

// ArmSending names the installation whose mails are sent from then on.
type ArmSending struct {
	Config string `json:"config"` // the file that says how people are told
}

// Armed says for which installation sending is armed.
type Armed struct {
	Installation string `json:"installation"`
	From         string `json:"from"`
}

// ArmNotices lets this installation send mails: this host, this database, and this sender.
var ArmNotices = changing("ArmNotices", registry.ActionNoticeArm,
	func(ctx context.Context, s *Session, in ArmSending) (out Armed, err error) {
		c, err := notify.Read(in.Config)
		if err != nil {
			return out, err
		}
		out.From, _ = c.From()
		if out.Installation, err = renewal.Arm(ctx, s.Session, out.From); err != nil {
			return out, err
		}
		return out, c.Arm(s.registry.config.Database, out.Installation, s.Time())
	})

// SendingTest says whether mails can be sent.
type SendingTest struct {
	Server   string             `json:"server,omitempty"`
	Facts    notify.ServerFacts `json:"facts,omitzero"`
	Unarmed  string             `json:"not_armed,omitempty"` // why nothing is sent; empty: it is armed
	Failed   string             `json:"failed,omitempty"`    // why the server can't be used
	Problems []string           `json:"problems,omitempty"`  // of templates
	Waiting  []MailCount        `json:"waiting,omitempty"`
	Sent     string             `json:"sent,omitempty"` // the server's words about a test mail
}

// ErrNoReport means that a mail is not a report of a mail server.
var ErrNoReport = notify.ErrNoReport

// TestNotices connects to the mail server, and says whether sending is armed. With an address it sends a
// mail there, also while sending is not armed.
func (s *Schedule) TestNotices(ctx context.Context, to string) (out SendingTest, err error) {
	o := s.Outbox
	for _, p := range s.problems {
		out.Problems = append(out.Problems, p.Error())
	}
	var installation string
	err = s.Registry.Store.View(ctx, func(tx registry.Reader) error {
		if installation, err = tx.Installation(); err != nil {
			return err
		}
		out.Waiting, err = tx.MailCounts()
		return err
	})
	if err != nil {
		return out, err
	}
	if err := o.Config.Armed(o.Database, installation); err != nil {
		out.Unarmed = err.Error()
	}
	if o.Mailer == nil {
		out.Failed = "no mail server is named (mail.server)"
		return out, nil
	}
	out.Server = o.Mailer.Server()
	if out.Facts, err = o.Mailer.Look(ctx); err != nil {
		out.Failed = err.Error()
		return out, nil
	}
	if to == "" {
		return out, nil
	}
	result := o.Test(ctx, to)
	if out.Sent = result.Words; result.State != notify.Accepted {
		out.Failed = result.Words
		if result.Err != nil {
			out.Failed = result.Err.Error()
		}
	}
	return out, nil
}

// Bounce takes a report that a mail could not be delivered.
func (s *Schedule) Bounce(ctx context.Context, report io.Reader) (NoticeBounced, error) {
	b, err := notify.ReadBounce(report)
	if err != nil {
		return NoticeBounced{}, err
	}
	return renewal.Bounce(ctx, s.Registry.Program(), b)
}
