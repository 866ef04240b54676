package stats_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

var kundeSpellings = []string{"kunde@xn--bcher-kva.example", "kunde@bücher.example", "Kunde@BÜCHER.example", "KUNDE@bu\u0308cher.example"}

func TestEmailsAreFoundUnderAnySpellingOfTheirRecipient(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		var all []job.ID
		for i, recipient := range kundeSpellings {
			made := stats.Subject{ID: job.NewID(), Recipient: recipient, UniqueID: "u", Created: noon.Add(time.Duration(i) * time.Minute)}
			if i%2 == 0 {
				begin(t, s, stats.Attempt{Subject: made, Number: 1, Token: "t", At: noon})
			}
			settle(t, s, stats.Settlement{Subject: made, Number: 1, State: stats.Accepted, At: noon})
			fold(t, s, stats.FoldResult{Folded: 1}, event(made.ID, job.EventOpen, noon))
			all = append([]job.ID{made.ID}, all...)
		}
		wantFoundInAnySpelling(t, s, kundeSpellings, all)
	})
}

// wantFoundInAnySpelling checks the emails with the unique ID u, newest first.
func wantFoundInAnySpelling(t *testing.T, s stats.Store, spellings []string, all []job.ID) {
	t.Helper()
	for _, recipient := range spellings {
		wantFound(t, s, stats.Query{Recipient: recipient, Limit: 10}, all...)
		wantFound(t, s, stats.Query{Recipient: recipient, UniqueID: "u", Limit: 10}, all...)
		wantFound(t, s, stats.Query{Recipient: recipient, UniqueID: "other", Limit: 10})
		for n := 1; n < len(all); n++ {
			wantFound(t, s, stats.Query{Recipient: recipient, Limit: n}, all[:n]...)
			wantFound(t, s, stats.Query{Recipient: recipient, Limit: n, Before: lookup(t, s, all[0])}, all[1:min(n+1, len(all))]...)
		}
		if last, err := s.Last(t.Context(), recipient, "u"); err != nil || last == nil || last.ID != all[0] {
			t.Errorf("last email to %+q = %+v, %v; want %s", recipient, last, err, all[0])
		}
	}
}

// TestEmailsOf25f7307AreFoundUnderAnySpelling: the back-fill finds them, once and not again.
func TestEmailsOf25f7307AreFoundUnderAnySpelling(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		cfg := storetest.SQLiteOf25f7307(t)
		for range 2 {
			wantFoundInAnySpelling(t, open(t, cfg), kundeSpellings, []job.ID{"6b0edfd2bbd8068c9ad6d1a1", "6b0edfd122c6355eef1e80c6", "6b0edfd05a694497fe4cfed7"})
			wantFoundInAnySpelling(t, open(t, cfg), []string{"ann@example.com", "ANN@example.com"}, []job.ID{"6b0edfd32b414c5b9ed98ad5"})
		}
	})
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		cfg := storetest.Mongo(t)
		records := stats.Records(open(t, cfg))
		if err := records.Drop(t.Context()); err != nil { // the indexes too
			t.Fatal(err)
		}
		if _, err := records.InsertMany(t.Context(), documentsIn(t, "testdata/records-25f7307.json")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s := open(t, cfg)
			wantFoundInAnySpelling(t, s, kundeSpellings, []job.ID{"6b0edfe994063f01ac50b7a1", "6b0edfe8250ebd15a106726c", "6b0edfe76b2e0c703667e8d7"})
			wantFoundInAnySpelling(t, s, []string{"ann@example.com", "ANN@example.com"}, []job.ID{"6b0edfea1e2cc09769c08b96"})
		}
		specs, err := records.Indexes().ListSpecifications(t.Context())
		if err != nil || !slices.ContainsFunc(specs, func(s mongo.IndexSpecification) bool { return s.Name == "recipient_key" }) {
			t.Errorf("indexes = %+v, %v; want recipient_key among them", specs, err)
		}
	})
}

func documentsIn(t *testing.T, file string) []any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(text, &raws); err != nil {
		t.Fatal(err)
	}
	documents := make([]any, len(raws))
	for i, raw := range raws {
		var doc bson.D
		if err := bson.UnmarshalExtJSON(raw, false, &doc); err != nil {
			t.Fatal(err)
		}
		documents[i] = doc
	}
	return documents
}
