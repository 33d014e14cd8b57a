package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var mailTable = &table[registry.Mail]{
	name: "mail",
	row:  func(m *registry.Mail) string { return fmt.Sprintf("mail %q", m.ID) },
	key:  []column[registry.Mail]{text("id", func(m *registry.Mail) *string { return &m.ID })},
	columns: []column[registry.Mail]{
		text("kind", func(m *registry.Mail) *registry.NoticeKind { return &m.Kind }),
		textOrNull("about_key", func(m *registry.Mail) *string { return &m.Key }),
		text("partner", func(m *registry.Mail) *string { return &m.Partner }),
		text("recipient", func(m *registry.Mail) *string { return &m.To }),
		text("state", func(m *registry.Mail) *registry.MailState { return &m.State }),
		instant("next", func(m *registry.Mail) *time.Time { return &m.Next }),
		instant("planned", func(m *registry.Mail) *time.Time { return &m.Planned }),
		instant("ended", func(m *registry.Mail) *time.Time { return &m.Ended }),
		textOrNull("message_id", func(m *registry.Mail) *string { return &m.MessageID }),
		blobOrNull("data", func(m *registry.Mail) *[]byte { return &m.Data }).onlyWhole(),
	},
	version: func(m *registry.Mail) *int64 { return &m.Version },
	body:    true,
}

func (t *tx) Mail(id string) (registry.Mail, error) { return find(t, mailTable, registry.Mail{ID: id}) }

func (t *tx) Mails(q registry.MailQuery) ([]registry.Mail, error) {
	var found query
	found.where(q.Key != "", "about_key = ?", q.Key)
	found.where(q.MessageID != "", "message_id = ?", q.MessageID)
	found.where(q.Partner != "", "partner = ?", q.Partner)
	found.where(q.To != "", "recipient = ?", q.To)
	oneOf(&found, "state", q.States)
	oneOf(&found, "kind", q.Kinds)
	found.where(!q.EndedSince.IsZero(), "ended >= ?", q.EndedSince.UnixMicro())
	page, args := found.page(q.Page)
	return list(t, "mails", mailTable.listed(), page, args...)
}

func (t *tx) MailsDue(now time.Time, webhook bool, n int) ([]registry.Mail, error) {
	var found query
	oneOf(&found, "state", registry.MailsOpen)
	found.where(webhook, "recipient = ?", registry.ToWebhook)
	found.where(!webhook, "recipient <> ?", registry.ToWebhook)
	// A time that is more than a day ahead is of a clock that was wrong, and does not count.
	found.where(true, "(next <= ? OR next > ?)", now.UnixMicro(), now.Add(24*time.Hour).UnixMicro())
	return list(t, "mails", mailTable.listed(), found.conditionsOnly()+" ORDER BY next, id LIMIT ?",
		append(found.args, n)...)
}

func (t *tx) MailsTo(recipients []string) ([]registry.Mail, error) {
	return ofEach(t, "mails", mailTable.listed(), " WHERE recipient IN (%s) AND state IN ('planned', 'deferred')",
		recipients)
}

func (t *tx) MailCounts() ([]registry.MailCount, error) {
	var found query
	oneOf(&found, "state", registry.MailsOpen)
	read := func(row scan) (c registry.MailCount, err error) {
		err = row(textInto[registry.MailState]{&c.State}, numberInto[int]{&c.Count}, instantInto{&c.Oldest})
		return c, err
	}
	return list(t, "mails", selection[registry.MailCount]{"SELECT state, COUNT(*), MIN(planned) FROM mail", read},
		found.conditionsOnly()+" GROUP BY state ORDER BY state", found.args...)
}

func (t *tx) PutMail(m *registry.Mail) error { return put(t, mailTable, m) }

func (t *tx) AddMails(all []registry.Mail) error {
	columns := slices.DeleteFunc(mailTable.all(), func(c column[registry.Mail]) bool { return c.large })
	names := append(namesOf(columns), "version", "body")
	for some := range slices.Chunk(all, rowsInStatement) {
		var args []any
		for i := range some {
			body, err := mailTable.encode(&some[i])
			if err != nil {
				return err
			}
			args = append(append(args, values(columns, &some[i])...), int64(1), body)
		}
		row := ", (" + placeholders(len(names)) + ")"
		_, err := t.exec("mails", insertInto("mail", names)+strings.Repeat(row, len(some)-1), args...)
		if err != nil {
			return err
		}
	}
	return nil
}
