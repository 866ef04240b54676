package database_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/levenlabs/postmaster/pkg/database"
)

func openSQLite(t *testing.T, path string, pragmas ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// A file that is read-only, full or damaged fails every write; a value that no column takes fails its own.
func TestSQLiteErrorsAboutADocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pm.db")
	db := openSQLite(t, path)
	if _, err := db.Exec(`CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT`); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(damaged, []byte("SQLite format 3\x00"+strings.Repeat("\xff", 8192)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, insert string
		db           *sql.DB
		want         bool
	}{
		{"read-only", `INSERT INTO t VALUES ('a', 1)`, openSQLite(t, path, "query_only(1)"), false},
		{"full", `INSERT INTO t VALUES (hex(randomblob(100000)), 1)`, openSQLite(t, path, "max_page_count(4)"), false},
		{"damaged", `INSERT INTO t VALUES ('a', 1)`, openSQLite(t, damaged), false},
		{"wrong type", `INSERT INTO t VALUES ('b', 'x')`, db, true},
		{"too big", `INSERT INTO t VALUES (zeroblob(2000000000), 1)`, db, true},
	} {
		_, err := tc.db.Exec(tc.insert)
		if err == nil {
			t.Errorf("%s: no error", tc.name)
		}
		if got := database.AboutDocument(err); got != tc.want {
			t.Errorf("%s: AboutDocument(%v) = %v, want %v", tc.name, err, got, tc.want)
		}
	}
}
