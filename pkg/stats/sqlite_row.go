package stats

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

const columns = `id, r, ef, s, uid, se, tc, ts, err, ea, st, at, fr, ta, tok, mid, why, ev, pf, nf, fd`

// rowTx reads and writes single records within a transaction.
type rowTx struct {
	ctx      context.Context // of the transaction, which does not outlive it
	get, put *sql.Stmt
}

// load returns the record of id, or nil.
func (t *rowTx) load(id job.ID) (*entry, error) {
	if err := checkIDs(id); err != nil {
		return nil, err
	}
	e, err := scan(t.get.QueryRowContext(t.ctx, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return e, err
}

func (t *rowTx) store(e *entry) error {
	evidence, err := encodeEvidence(e.Evidence)
	if err != nil {
		return err
	}
	_, err = t.put.ExecContext(t.ctx, string(e.ID), e.Recipient, e.EmailFlags, e.StateFlags, e.UniqueID, e.Env,
		e.Created.UnixMilli(), e.Updated.UnixMilli(), e.Error, e.reasonAt.UnixMilli(), string(e.State), e.Attempts,
		e.Free, e.Attempted.UnixMilli(), e.Token, e.MessageID, e.Reason, evidence, e.Fold,
		e.Failed, e.Failing.Milliseconds(), recipientKey(e.Recipient))
	return err
}

// scan reads one row of columns.
func scan(row interface{ Scan(...any) error }) (*entry, error) {
	var (
		e                                            entry
		id, state, evidence                          string
		created, updated, reasonAt, attempt, failing int64
	)
	err := row.Scan(&id, &e.Recipient, &e.EmailFlags, &e.StateFlags, &e.UniqueID, &e.Env, &created, &updated, &e.Error,
		&reasonAt, &state, &e.Attempts, &e.Free, &attempt, &e.Token, &e.MessageID, &e.Reason, &evidence, &e.Fold,
		&e.Failed, &failing)
	if err != nil {
		return nil, err
	}
	e.ID, e.State, e.Failing = job.ID(id), State(state), time.Duration(failing)*time.Millisecond
	e.Created, e.Updated = fromMilli(created), fromMilli(updated)
	e.reasonAt, e.Attempted = fromMilli(reasonAt), fromMilli(attempt)
	e.Evidence, err = decodeEvidence(evidence)
	return &e, err
}

func encodeEvidence(evidence map[string]time.Time) (string, error) {
	seconds := make(map[string]int64, len(evidence))
	for kind, at := range evidence {
		seconds[kind] = at.Unix()
	}
	b, err := json.Marshal(seconds)
	return string(b), err
}

func decodeEvidence(text string) (map[string]time.Time, error) {
	var seconds map[string]int64
	if err := json.Unmarshal([]byte(text), &seconds); err != nil {
		return nil, fmt.Errorf("%w: stored evidence: %w", database.ErrDocument, err)
	}
	if len(seconds) == 0 {
		return nil, nil
	}
	evidence := make(map[string]time.Time, len(seconds))
	for kind, at := range seconds {
		evidence[kind] = time.Unix(at, 0).UTC()
	}
	return evidence, nil
}

// fromMilli undoes UnixMilli, of the zero time too.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
