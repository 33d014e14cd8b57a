package store

import (
	"context"
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// WithMigration returns the options of a program that is one version newer.
func (o Options) WithMigration(text string) Options {
	files := fstest.MapFS{}
	names, err := embedded.ReadDir("migrations")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		path := "migrations/" + name.Name()
		data, err := embedded.ReadFile(path)
		if err != nil {
			panic(err)
		}
		files[path] = &fstest.MapFile{Data: data}
	}
	files[fmt.Sprintf("migrations/%04d_test.sql", len(names)+1)] = &fstest.MapFile{Data: []byte(text)}
	o.files = files
	return o
}

// Latest is the version of a database that this program makes.
func Latest() int64 {
	m, err := Options{}.migrations()
	if err != nil {
		panic(err)
	}
	return m.latest()
}

// UsedAPIKeys stores uses as a part of a change.
func UsedAPIKeys(t registry.Tx, at map[string]time.Time) error { return t.(*tx).usedAPIKeys(at) }

// CertificatePlan returns how the database would find certificates.
func (s *Store) CertificatePlan(ctx context.Context, q registry.CertificateQuery) (string, error) {
	condition, args := certificates(q)
	return s.plan(ctx, certificateTable.listed().statement+condition, args)
}

// InventoryPlan returns how the database would find a page of the inventory.
func (s *Store) InventoryPlan(ctx context.Context, q registry.CertificateQuery) (string, error) {
	condition, args := certificatePage(q)
	return s.plan(ctx, briefCertificates().statement+condition, args)
}

// KeyPairPlan returns how the database would find key pairs.
func (s *Store) KeyPairPlan(ctx context.Context, q registry.KeyPairQuery) (string, error) {
	condition, args := keyPairs(q, nil)
	return s.plan(ctx, keyPairTable.listed().statement+condition, args)
}

// SearchPlans returns how the database would find partners, environments and API keys by a part
// of a name.
func (s *Store) SearchPlans(ctx context.Context, containing string) (map[string]string, error) {
	partners, partnerArgs := partnersLike(registry.PartnerQuery{Containing: containing})
	environments, environmentArgs := environmentsLike(containing, 10)
	keys, keyArgs := apiKeysLike(containing, 10)
	plans := map[string]string{}
	for index, q := range map[string]struct {
		statement string
		args      []any
	}{
		"partner_names":     {partnerTable.listed().statement + partners, partnerArgs},
		"environment_names": {environmentTable.listed().statement + environments, environmentArgs},
		"api_key_names":     {apiKeyTable.listed().statement + keys, keyArgs},
	} {
		var err error
		if plans[index], err = s.plan(ctx, q.statement, q.args); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// AuditPlan returns how the database would find audit records.
func (s *Store) AuditPlan(ctx context.Context, q registry.AuditQuery) (string, error) {
	condition, args := auditLike(q)
	return s.plan(ctx, auditTable.listed().statement+condition, args)
}

// LookPlan returns how the database would find the certificates whose successors may be due.
func (s *Store) LookPlan(ctx context.Context, now time.Time) (string, error) {
	condition, args := certificatesToLook(now, registry.Page{Limit: 500})
	return s.plan(ctx, briefCertificates().statement+condition, args)
}

// LanePlan returns how the database would read the certificates of all lanes.
func (s *Store) LanePlan(ctx context.Context) (string, error) {
	return s.plan(ctx, laneCertificates.selected+" WHERE "+laneCertificates.all, nil)
}

// PartnerPlans returns how the database would read the keys of the lanes with some partners.
func (s *Store) PartnerPlans(ctx context.Context, partners []string) (plans []string, err error) {
	rows := laneRows{changed: &lanes.Changes{Partners: partners}}
	for _, q := range []laneQuery{laneCertificates, ownCertificates, laneKeyPairs} {
		for _, one := range rows.queries(q) {
			plan, err := s.plan(ctx, one.written, one.args)
			if err != nil {
				return nil, err
			}
			plans = append(plans, plan)
		}
	}
	return plans, nil
}

// OutsidePlans returns how the database would read the keys of a lane that do not count.
func (s *Store) OutsidePlans(ctx context.Context, name lanes.Name) (plans []string, err error) {
	for _, q := range []outsideQuery{ownRetired, sharedRetired, incomingCertificates} {
		written, args := q.statement(name)
		plan, err := s.plan(ctx, written, args)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// OwnCertificatesPlan returns how the database would read our certificates.
func (s *Store) OwnCertificatesPlan(ctx context.Context) (string, error) {
	return s.plan(ctx, ownCertificates.selected+" WHERE "+ownCertificates.all, nil)
}

func (s *Store) plan(ctx context.Context, statement string, args []any) (string, error) {
	explain := "EXPLAIN "
	if s.dialect.prepare {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := s.reader.QueryContext(ctx, explain+s.dialect.statement(statement), args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var lines []string
	for rows.Next() {
		to := make([]any, len(names))
		for i := range to {
			to[i] = new(any)
		}
		if err := rows.Scan(to...); err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprint(*to[len(to)-1].(*any)))
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// WithTimes returns the options of a program that waits so long for others, and may stand still
// so long.
func (o Options) WithTimes(patience, idle time.Duration) Options {
	o.patience, o.idle = patience, idle
	return o
}

// ConcernPlans returns how the database would find the rows of a concern, and their number.
func (s *Store) ConcernPlans(ctx context.Context, q registry.ConcernQuery) (rows, count string, err error) {
	written, counted, args, err := concernedRows(q)
	if err != nil {
		return "", "", err
	}
	if count, err = s.plan(ctx, counted, args); err != nil {
		return "", "", err
	}
	rows, err = s.plan(ctx, written+" LIMIT ?", append(args, 20))
	return rows, count, err
}
