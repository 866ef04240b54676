package stats

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// SQLiteSchema makes the table of an SQLite store. Columns are called as MongoDB's fields are; times are unix
// milliseconds.
const SQLiteSchema = `
CREATE TABLE records (
	id   TEXT    NOT NULL PRIMARY KEY, -- of the mail
	r    TEXT    NOT NULL,             -- recipient
	ef   INTEGER NOT NULL,             -- flags of the mail
	s    INTEGER NOT NULL,             -- state flags
	uid  TEXT    NOT NULL,             -- the caller's unique ID
	se   TEXT    NOT NULL,             -- environment
	tc   INTEGER NOT NULL,             -- created
	ts   INTEGER NOT NULL,             -- updated
	err  TEXT    NOT NULL,             -- reason of the latest bounce or drop
	ea   INTEGER NOT NULL,             -- when that was
	st   TEXT    NOT NULL,             -- state
	at   INTEGER NOT NULL,             -- number of the latest attempt
	fr   INTEGER NOT NULL,             -- attempts that do not count
	ta   INTEGER NOT NULL,             -- when the latest attempt began
	tok  TEXT    NOT NULL,             -- its token
	mid  TEXT    NOT NULL,             -- SendGrid's message ID
	why  TEXT    NOT NULL,             -- what the latest settlement said
	ev   TEXT    NOT NULL              -- when each kind of event first happened, as JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX records_last ON records (uid, r, tc, id);
CREATE INDEX records_recipient ON records (r, tc, id);
CREATE INDEX records_unknown ON records (tc, id) WHERE st = 'unknown' AND s = 0 AND ev = '{}';`

// SQLiteGaps makes the index of Gaps, in a file that has SQLiteSchema. It holds only the few mails that are on their way.
const SQLiteGaps = `CREATE INDEX records_gaps ON records (ts, id) WHERE ` + silent + `;`

// SQLiteFold makes the column of Record.Fold.
const SQLiteFold = `ALTER TABLE records ADD COLUMN pf TEXT NOT NULL DEFAULT '';`

// silent matches accepted mails of which no event came.
const silent = `st = 'accepted' AND s = 0 AND ev = '{}'`

// SQLiteFailures adds what is known of attempts that surely were not sent.
const SQLiteFailures = `
ALTER TABLE records ADD COLUMN nf INTEGER NOT NULL DEFAULT 0; -- how many
ALTER TABLE records ADD COLUMN fd INTEGER NOT NULL DEFAULT 0; -- milliseconds since the first, without time stopped`

// SQLite keeps records in a table of an SQLite file.
type SQLite struct {
	read, write *sql.DB
	get, put    *sql.Stmt // on write
}

// NewSQLite returns a store over a file that has SQLiteSchema, SQLiteGaps, SQLiteRecipients and SQLiteFailures. The transactions of write must begin immediate.
func NewSQLite(ctx context.Context, read, write *sql.DB) (*SQLite, error) {
	get, err := write.PrepareContext(ctx, `SELECT `+columns+` FROM records WHERE id = ?`)
	if err != nil {
		return nil, available(fmt.Errorf("prepare the records: %w", err))
	}
	put, err := write.PrepareContext(ctx, `INSERT OR REPLACE INTO records (`+columns+`, rk)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return nil, available(fmt.Errorf("prepare the records: %w", errors.Join(err, get.Close())))
	}
	s := &SQLite{read: read, write: write, get: get, put: put}
	if err := s.fillRecipients(ctx); err != nil {
		return nil, available(fmt.Errorf("index the recipients stored by an older version: %w", errors.Join(err, s.Close())))
	}
	return s, nil
}

// Close lets go of the store's statements, not of the file.
func (s *SQLite) Close() error { return errors.Join(s.get.Close(), s.put.Close()) }

// Begin implements Store.
func (s *SQLite) Begin(ctx context.Context, attempts []Attempt) ([]bool, error) {
	won := make([]bool, len(attempts))
	err := s.inTransaction(ctx, "begin attempts", func(rows *rowTx) error {
		for i, a := range attempts {
			e, err := rows.load(a.ID)
			if err != nil {
				return err
			}
			if e == nil {
				e = newEntry(a.Subject)
			}
			if won[i] = e.begin(a); !won[i] {
				continue
			}
			if err := rows.store(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// Settle implements Store.
func (s *SQLite) Settle(ctx context.Context, settlements []Settlement) error {
	return s.inTransaction(ctx, "settle attempts", func(rows *rowTx) error {
		for _, settlement := range settlements {
			e, err := rows.load(settlement.ID)
			if err != nil {
				return err
			}
			if e == nil {
				e = newEntry(settlement.Subject)
				e.Attempts = settlement.Number
			}
			e.settle(settlement)
			if err := rows.store(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Fold implements Store.
func (s *SQLite) Fold(ctx context.Context, events []job.Event) (FoldResult, error) {
	known := map[job.ID]bool{}
	err := s.inTransaction(ctx, "fold events", func(rows *rowTx) error {
		recipients := map[job.ID]string{}
		for _, id := range undecided(events) {
			e, err := rows.load(id)
			if err != nil {
				return err
			}
			if e != nil {
				recipients[id] = e.Recipient
			}
		}
		deltas := fold(events, recipients)
		for id, d := range deltas {
			e, err := rows.load(id)
			if err != nil {
				return err
			}
			if e == nil {
				continue
			}
			known[id] = true
			e.fold(d)
			if err := rows.store(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return FoldResult{}, err
	}
	return count(events, known), nil
}

func (s *SQLite) inTransaction(ctx context.Context, doing string, f func(*rowTx) error) error {
	err := database.InTransaction(ctx, s.write, func(tx *sql.Tx) error {
		return f(&rowTx{ctx, tx.StmtContext(ctx, s.get), tx.StmtContext(ctx, s.put)})
	})
	if err != nil {
		return available(fmt.Errorf("%s: %w", doing, err))
	}
	return nil
}
