package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	// busyTimeout is how long SQLite waits for another process, and does not look at a context meanwhile. Transactions
	// wait longer (see database.InTransaction).
	busyTimeout = 100 * time.Millisecond
	// readers is how many connections read. They never wait for the one that writes.
	readers = 4
)

// migrations bring a file from one version of its schema (PRAGMA user_version) to the next. A released one never
// changes: add another.
var migrations = []string{
	prefs.SQLiteSchema + stats.SQLiteSchema + idempotency.SQLiteSchema,
	stats.SQLiteGaps,
	heartbeat.SQLiteSchema,
	prefs.SQLiteKeys,
	stats.SQLiteRecipients,
	stats.SQLiteFold,
	stats.SQLiteFailures,
}

func openSQLite(ctx context.Context, path string) (*Stores, error) {
	write, read, err := connectSQLite(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("--sqlite: %s: %w", path, err)
	}
	records, err := stats.NewSQLite(ctx, read, write)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--sqlite: %s: %w", path, err), read.Close(), write.Close())
	}
	preferences, err := prefs.NewSQLite(ctx, read, write)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--sqlite: %s: %w", path, err), records.Close(), read.Close(), write.Close())
	}
	return &Stores{
		Prefs: preferences,
		Stats: records,
		Keys:  idempotency.NewSQLite(read, write),
		Beats: heartbeat.NewSQLite(read, write),
		ping:  read.PingContext,
		close: []func() error{records.Close, read.Close, write.Close},
	}, nil
}

// connectSQLite opens the file, which is made if need be, once to write and once to read. What has been committed has
// reached the disk (synchronous FULL).
func connectSQLite(ctx context.Context, path string) (write, read *sql.DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if err = private(path); err != nil {
		return nil, nil, err
	}
	if write, err = sql.Open("sqlite", dsn(path, "synchronous(FULL)")); err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err = migrate(ctx, write); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	if read, err = sql.Open("sqlite", dsn(path, "query_only(1)")); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

func dsn(path, pragma string) string {
	query := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", pragma},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// migrate makes the file's schema the one that this version knows. Of several processes that start together, one does
// it and the others find it done.
func migrate(ctx context.Context, db *sql.DB) error {
	return database.InTransaction(ctx, db, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if version > len(migrations) {
			return fmt.Errorf("schema version %d is of a newer postmaster; this one knows %d", version, len(migrations))
		}
		for _, statements := range migrations[version:] {
			if _, err := tx.ExecContext(ctx, statements); err != nil {
				return fmt.Errorf("migrate schema: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)))
		return err
	})
}

// private makes the file if need be, for its owner's eyes alone, and takes the rights of all others from one that is there.
// SQLite gives its other files the same rights. IMPORTANT: a file that is there is not opened: closing it would end the
// locks that this process may hold on it (POSIX).
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		err = f.Close()
	case errors.Is(err, fs.ErrExist):
		err = nil
	}
	if err != nil {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(name, info.Mode().Perm()&^0o077)
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) { // another user's process made it, and shares it with us
			return err
		}
	}
	return nil
}
