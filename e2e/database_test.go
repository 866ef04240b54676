package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/levenlabs/postmaster/internal/testenv"
)

// A database is one that a test looks into behind postmaster's back, while no process has it open.
type database interface {
	flags() []string
	copy(t *testing.T) database
	// documents returns all there is to records and preferences, by table and key, but for what counts writes.
	documents(t *testing.T) map[string]string
}

var databases = map[string]func(*testing.T) database{"sqlite": newSQLite, "mongo": newMongo}

// tables are the parts of a database that are compared.
var tables = []string{"records", "emails"}

type sqliteFile struct{ path string }

func newSQLite(t *testing.T) database { return sqliteFile{filepath.Join(t.TempDir(), "pm.db")} }

func (f sqliteFile) flags() []string { return []string{"--sqlite", f.path} }

func (f sqliteFile) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (f sqliteFile) copy(t *testing.T) database {
	t.Helper()
	to := sqliteFile{filepath.Join(t.TempDir(), "copy.db")}
	db := f.open(t)
	defer db.Close()
	if _, err := db.Exec(`VACUUM INTO ?`, to.path); err != nil {
		t.Fatal(err)
	}
	return to
}

func (f sqliteFile) documents(t *testing.T) map[string]string {
	t.Helper()
	db := f.open(t)
	defer db.Close()
	all := map[string]string{}
	for _, table := range tables {
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			all[fmt.Sprint(table, " ", values[0])] = fmt.Sprint(values)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

type mongoDatabase struct{ uri string }

func newMongo(t *testing.T) database { return mongoDatabase{testenv.Mongo(t)} }

func (m mongoDatabase) flags() []string { return []string{"--mongo-addr", m.uri} }

func (m mongoDatabase) open(t *testing.T) *mongo.Database {
	t.Helper()
	cs, err := connstring.Parse(m.uri)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(m.uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Disconnect(t.Context()) })
	return client.Database(cs.Database)
}

func (m mongoDatabase) each(t *testing.T, table string, do func(bson.Raw)) {
	t.Helper()
	cursor, err := m.open(t).Collection(table).Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(t.Context())
	for cursor.Next(t.Context()) {
		do(cursor.Current)
	}
	if err := cursor.Err(); err != nil {
		t.Fatal(err)
	}
}

func (m mongoDatabase) copy(t *testing.T) database {
	t.Helper()
	to := mongoDatabase{testenv.Mongo(t)}
	for _, table := range tables {
		var docs []any
		m.each(t, table, func(raw bson.Raw) { docs = append(docs, append(bson.Raw(nil), raw...)) })
		if len(docs) == 0 {
			continue
		}
		if _, err := to.open(t).Collection(table).InsertMany(t.Context(), docs); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func (m mongoDatabase) documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range tables {
		m.each(t, table, func(raw bson.Raw) {
			text, err := bson.MarshalExtJSON(raw, true, false)
			if err != nil {
				t.Fatal(err)
			}
			var doc map[string]any
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			if table == "emails" {
				delete(doc, "v") // counts writes
			}
			sorted, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			all[fmt.Sprint(table, " ", doc["_id"])] = string(sorted)
		})
	}
	return all
}
