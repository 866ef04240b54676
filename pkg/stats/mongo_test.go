package stats_test

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// with040 returns a store that holds records of 0.4.0.
func with040(t *testing.T) stats.Store {
	t.Helper()
	s := open(t, storetest.Mongo(t))
	for _, doc := range documentsIn(t, "testdata/records-0.4.0.json") {
		if _, err := stats.Records(s).InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

const (
	sent    job.ID = "58b6a1f00000000000000001"
	bounced job.ID = "58b6a1f00000000000000002"
)

func TestRecordsOf040AreAccepted(t *testing.T) {
	t.Parallel()
	s := with040(t)
	wantRecord(t, s, stats.Record{
		ID: sent, Recipient: "Ann@Example.com", EmailFlags: 4, UniqueID: "welcome", Env: "production",
		Created: time.Date(2017, 3, 1, 10, 0, 0, 123e6, time.UTC), Updated: time.Date(2017, 3, 1, 10, 0, 0, 123e6, time.UTC),
		State: stats.Accepted,
	})
	wantBegin(t, s, attempt(sent, 1, "one"), false)
	settle(t, s, settlement(sent, 0, stats.Dead))
	wantOutcome(t, s, sent, stats.Accepted)

	last, err := s.Last(t.Context(), "Ann@Example.com", "welcome")
	if err != nil || last == nil || last.ID != bounced || last.Error != "550 5.1.1 unknown" || last.StateFlags != stats.FlagBounced {
		t.Errorf("last = %+v, %v; want the one of %s", last, err, bounced)
	}
	last, err = s.Last(t.Context(), "bob@example.com", "")
	if err != nil || last == nil {
		t.Errorf("last without a unique ID = %+v, %v; want bob's", last, err)
	}
}

func TestRecordsOf040TakeEvents(t *testing.T) {
	t.Parallel()
	s := with040(t)
	bounce := event(bounced, job.EventBounce, noon)
	bounce.Reason = "552"
	fold(t, s, stats.FoldResult{Folded: 2}, event(sent, job.EventOpen, noon), bounce)
	if got := lookup(t, s, sent); got.StateFlags != stats.FlagOpened || !got.Updated.Equal(noon) {
		t.Errorf("record = %+v; want it opened", got)
	}
	if got := lookup(t, s, bounced); got.Error != "552" {
		t.Errorf("error = %q; want the newer one", got.Error)
	}
}

func TestDocumentHasTheFieldsThat040Reads(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Mongo(t))
	id := job.NewID()
	begin(t, s, attempt(id, 1, "one"))
	settle(t, s, settlement(id, 1, stats.Accepted))
	bounce := event(id, job.EventBounce, noon.Add(2*time.Hour))
	bounce.Reason = "550"
	fold(t, s, stats.FoldResult{Folded: 1}, bounce)

	oid, err := bson.ObjectIDFromHex(string(id))
	if err != nil {
		t.Fatal(err)
	}
	type old struct {
		Recipient  string    `bson:"r"`
		EmailFlags int64     `bson:"ef"`
		StateFlags int64     `bson:"s"`
		UniqueID   string    `bson:"uid"`
		Env        string    `bson:"se"`
		Created    time.Time `bson:"tc"`
		Updated    time.Time `bson:"ts"`
		Error      string    `bson:"err"`
	}
	var got old
	if err := stats.Records(s).FindOne(t.Context(), bson.D{{Key: "_id", Value: oid}}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := old{"Ann@example.com", 4, stats.FlagBounced, "welcome", "dev", noon, noon.Add(2 * time.Hour), "550"}
	if got != want {
		t.Errorf("document = %+v, want %+v", got, want)
	}
}

// TestIndexOf040Serves: the index is there already, whatever options it was made with.
func TestIndexOf040Serves(t *testing.T) {
	t.Parallel()
	cfg := storetest.Mongo(t)
	records := stats.Records(open(t, cfg))
	open(t, cfg)
	specs, err := records.Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(specs, func(s mongo.IndexSpecification) bool { return s.Name == "uid_1_r_1_tc_1" })
	if at < 0 || specs[at].Sparse == nil || !*specs[at].Sparse {
		t.Errorf("indexes = %+v; want the one of 0.4.0 among them", specs)
	}
}
