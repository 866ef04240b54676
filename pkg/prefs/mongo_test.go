package prefs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// reopened returns the store as it is after documents were written by others and postmaster was started anew.
func reopened(t *testing.T, documents ...any) prefs.Store {
	t.Helper()
	cfg := storetest.Mongo(t)
	emails := prefs.Emails(open(t, cfg))
	if err := emails.Drop(t.Context()); err != nil { // the index too, so that it is as 0.4.0 left it
		t.Fatal(err)
	}
	if _, err := emails.InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	return open(t, cfg)
}

func documentsOf040(t *testing.T) []any {
	t.Helper()
	return documentsIn(t, "testdata/emails-0.4.0.json")
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

func TestDocumentsOf040Count(t *testing.T) {
	t.Parallel()
	s := reopened(t, documentsOf040(t)...)
	for address, want := range map[string]int64{
		"mixed@example.com":           4 | 8 | 16,
		"Mixed@Example.com":           4 | 8 | 16,
		"plain@example.com":           6,
		"PLAIN@example.com":           6,
		"moved@example.com":           2,
		"all@example.com":             1,
		"émile@example.com":           2,
		"e\u0301mile@example.com":     2,
		"kunde@bücher.example":        64 | 128,
		"kunde@xn--bcher-kva.example": 64 | 128,
		"bounced@example.com":         0,
	} {
		wantFlags(t, s, address, want)
	}
}

func TestDocumentsOf040YieldToLaterWords(t *testing.T) {
	t.Parallel()
	s := reopened(t, documentsOf040(t)...)
	at := time.Date(2017, 3, 1, 10, 0, 0, 0, time.UTC)
	record(t, s, out("plain@example.com", 8, at.Add(-time.Hour)))
	wantFlags(t, s, "plain@example.com", 6) // what it said in 2017 was later
	record(t, s, prefs.Incident{Address: "moved@example.com", Kind: prefs.SpamReport, At: at})
	record(t, s, in("plain@example.com", 2, at.Add(time.Hour)), in("mixed@example.com", 4, at.Add(time.Hour)))
	wantFlags(t, s, "plain@example.com", 4)
	wantFlags(t, s, "Mixed@example.com", 8|16)

	setFlags(t, s, "mixed@example.com", 1, time.Now())
	wantFlags(t, s, "Mixed@Example.com", 1)
	record(t, s, prefs.Incident{Address: "bounced@example.com", Kind: prefs.Bounce, At: at})
	record(t, s, out("bounced@example.com", 2, at))
	wantFlags(t, s, "bounced@example.com", 2)
	var doc struct {
		Bounces []time.Time `bson:"b"`
	}
	if err := prefs.Emails(s).FindOne(t.Context(), bson.D{{Key: "_id", Value: "bounced@example.com"}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Bounces) != 3 || !doc.Bounces[0].Equal(at) {
		t.Errorf("bounces = %v; want those of 0.4.0 and the new one, sorted", doc.Bounces)
	}
}

func TestFlagsOf040AreMovedWhole(t *testing.T) {
	t.Parallel()
	s := reopened(t, documentsOf040(t)...)
	move(t, s, "MIXED@example.com", "new@example.com")
	wantFlags(t, s, "new@example.com", 4|8|16)
	wantFlags(t, s, "mixed@example.com", 4|8|16)
	n, err := prefs.Emails(s).CountDocuments(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{"Mixed@Example.com", "MIXED@example.com"}}}}})
	if err != nil || n != 2 {
		t.Errorf("documents of 0.4.0 left = %d, %v; want both", n, err)
	}
}

func TestWritesOf040BesideUsCount(t *testing.T) {
	t.Parallel()
	s := reopened(t, documentsOf040(t)...)
	setFlags(t, s, "a@example.com", 4, noon)
	record(t, s, out("a@example.com", 2, noon.Add(time.Second)))

	old := bson.D{{Key: "$set", Value: bson.D{{Key: "f", Value: int64(8)}, {Key: "ts", Value: noon.Add(time.Minute)}}}}
	if _, err := prefs.Emails(s).UpdateByID(t.Context(), "a@example.com", old); err != nil {
		t.Fatal(err)
	}
	wantFlags(t, s, "a@example.com", 8)
	record(t, s, out("a@example.com", 16, noon.Add(time.Hour)))
	wantFlags(t, s, "a@example.com", 8|16)

	if _, err := prefs.Emails(s).InsertOne(t.Context(), bson.D{{Key: "_id", Value: "Late@example.com"}, {Key: "f", Value: int64(8)}, {Key: "ts", Value: noon}}); err != nil {
		t.Fatal(err)
	}
	wantFlags(t, s, "Late@example.com", 8) // found as it is written, before any back-fill
}

func TestManyMixedCaseAddressesAreFoundAfterTheStart(t *testing.T) {
	t.Parallel()
	var documents []any
	const n = 2500 // more than two pages
	for i := range n {
		documents = append(documents, bson.D{
			{Key: "_id", Value: fmt.Sprintf("User%d@example.com", i)}, {Key: "f", Value: int64(4)}, {Key: "ts", Value: noon},
		})
	}
	s := reopened(t, documents...)
	deadline := time.Now().Add(time.Minute)
	for {
		got, err := s.Flags(t.Context(), []string{"user0@example.com", fmt.Sprintf("USER%d@example.com", n-1)})
		if err == nil {
			if len(got) != 2 {
				t.Errorf("flags = %v; want both users'", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not indexed: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestDocumentHasTheFieldsThat040Reads(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Mongo(t))
	setFlags(t, s, "A@example.com", 4, noon)
	record(t, s, prefs.Incident{Address: "a@example.com", Kind: prefs.Bounce, At: noon},
		prefs.Incident{Address: "a@example.com", Kind: prefs.SpamReport, At: noon.Add(time.Second)})
	var doc struct {
		ID      string      `bson:"_id"`
		Flags   int64       `bson:"f"`
		Bounces []time.Time `bson:"b"`
		Spam    []time.Time `bson:"s"`
		Updated time.Time   `bson:"ts"`
	}
	if err := prefs.Emails(s).FindOne(t.Context(), bson.D{}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(doc)
	want := fmt.Sprint(struct {
		ID            string
		Flags         int64
		Bounces, Spam []time.Time
		Updated       time.Time
	}{"a@example.com", 4, []time.Time{noon}, []time.Time{noon.Add(time.Second)}, noon.Add(time.Second)})
	if got != want {
		t.Errorf("document = %s, want %s", got, want)
	}
}
