package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxIdle is how long a change may stand still between two statements before the server ends
// it: a program that was stopped, or that the network has lost, must not keep others from
// writing. It is less than they wait.
const maxIdle = 20 * time.Second

// silence is after what time without an answer of the other side a connection counts as lost.
const silence = 30 * time.Second

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 3, Count: 2}

// programName returns the application_name of this program, by which others see who it is.
func programName() string {
	host, _ := os.Hostname()
	plain := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, host)
	return fmt.Sprintf("sealane %d@%.40s", os.Getpid(), cmp.Or(plain, "?"))
}

// lostPostgres reports whether the server ended a connection before it was asked for anything.
func lostPostgres(err error) bool {
	e, is := errors.AsType[*pgconn.PgError](err)
	return is && e.Code == "57P01" || pgconn.SafeToRetry(err)
}

// beginPostgres makes writers take turns. Otherwise two unrelated changes would both append
// to the audit log, and one of them would fail. The lock is taken before the first
// statement that reads, so that its result is not older than the lock. The table has no
// rows, so autovacuum never locks it.
func beginPostgres(ctx context.Context, s *Store) (*sql.Tx, error) {
	return beginLocked(ctx, s, sql.LevelSerializable, "LOCK TABLE writer IN EXCLUSIVE MODE")
}

// beginPostgresUses needs no order: uses are not audited, and each statement only moves a time on.
func beginPostgresUses(ctx context.Context, s *Store) (*sql.Tx, error) {
	return beginLocked(ctx, s, sql.LevelReadCommitted, "")
}

// beginPostgresMigration makes programs that start at the same time take turns, and other
// writers wait. The number is that of Sealane's migrations: a new database has no table to lock.
func beginPostgresMigration(ctx context.Context, s *Store) (*sql.Tx, error) {
	return beginLocked(ctx, s, sql.LevelReadCommitted, `SELECT pg_advisory_xact_lock(7325203);
		DO $$ BEGIN
			IF to_regclass('writer') IS NOT NULL THEN LOCK TABLE writer IN EXCLUSIVE MODE; END IF;
		END $$`)
}

// beginLocked begins a transaction with a lock, if there is one. It waits no longer than [patience] for this lock,
// and for those of later statements.
// The server ends the transaction if the client stands still or is gone.
func beginLocked(ctx context.Context, s *Store, level sql.IsolationLevel, lock string) (*sql.Tx, error) {
	t, err := s.begin(ctx, s.writer, &sql.TxOptions{Isolation: level})
	if err != nil {
		return nil, err
	}
	// Without arguments, pgx sends all statements at once. On a Unix socket the server ignores
	// what is about TCP.
	all := fmt.Sprintf(`SET LOCAL lock_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d;
		SET LOCAL tcp_user_timeout = %d; SET LOCAL tcp_keepalives_idle = %d; SET LOCAL tcp_keepalives_interval = %d;
		SET LOCAL tcp_keepalives_count = %d; %s`,
		s.options.waits().Milliseconds(), cmp.Or(s.options.idle, maxIdle).Milliseconds(), silence.Milliseconds(),
		int(keepAlive.Idle.Seconds()), int(keepAlive.Interval.Seconds()), keepAlive.Count, lock)
	_, err = t.ExecContext(ctx, all)
	if err == nil {
		return t, nil
	}
	t.Rollback()
	if e, is := errors.AsType[*pgconn.PgError](err); is && e.Code == "55P03" { // lock not available
		err = s.options.busyFor(cmp.Or(s.writerNow(ctx), "another program"))
	}
	return nil, err
}

// writerNow returns who holds the lock of writers, or "" where that can't be seen. Of sessions
// of other roles only the process can be.
func (s *Store) writerNow(ctx context.Context) string {
	const who = `SELECT a.pid, COALESCE(a.application_name, ''), COALESCE(host(a.client_addr), ''),
			COALESCE(a.state, ''), COALESCE(EXTRACT(EPOCH FROM now() - a.state_change)::bigint, 0)
		FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.granted AND (l.relation = to_regclass('writer') AND l.mode LIKE '%ExclusiveLock'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			OR l.locktype = 'advisory' AND l.objid = 7325203)
		ORDER BY a.xact_start LIMIT 1`
	var pid, seconds int64
	var name, host, state string
	if s.reader.QueryRowContext(ctx, who).Scan(&pid, &name, &host, &state, &seconds) != nil {
		return ""
	}
	text := fmt.Sprintf("%q on %s (process %d of the server", cmp.Or(name, "a program"),
		cmp.Or(host, "the server's own machine"), pid)
	if state != "" {
		text += fmt.Sprintf(", %s for %v", state, time.Duration(seconds)*time.Second)
	}
	return text + fmt.Sprintf("; SELECT pg_terminate_backend(%d) ends it)", pid)
}
