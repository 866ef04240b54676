package job_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestNewIDsAreDistinctAndCarryTheirTime(t *testing.T) {
	seen := map[job.ID]bool{}
	for range 10_000 {
		id := job.NewID()
		if !id.Valid() || seen[id] {
			t.Fatalf("%q: valid %v, seen before %v", id, id.Valid(), seen[id])
		}
		if age := time.Since(id.Time()); age < 0 || age > time.Minute {
			t.Fatalf("%q says it is %v old", id, age)
		}
		seen[id] = true
	}
}

// A job of 0.4.0 has no id: each delivery of its event must find the same ledger entry.
func TestAJobOf040IsReadAndGetsTheSameIDEachTime(t *testing.T) {
	contents, err := os.ReadFile("testdata/email-0.4.0.json")
	if err != nil {
		t.Fatal(err)
	}
	const eventID = "1f7c9b1e-7f2c-4f0e-9d5a-3b1f6f0f9f11"
	first, err := job.DecodeEmail(eventID, contents)
	if err != nil {
		t.Fatal(err)
	}
	again, err := job.DecodeEmail(eventID, contents)
	if err != nil {
		t.Fatal(err)
	}
	if !first.ID.Valid() || first.ID != again.ID {
		t.Errorf("got ids %q and %q", first.ID, again.ID)
	}
	if first.To != "alex@example.com" || first.UniqueArgs["order"] != "42" || first.Flags != 4 || first.Queue() != job.QueueEmailNormal {
		t.Errorf("got %+v", first)
	}
}

func TestADeadLetterKeepsTheWholeJob(t *testing.T) {
	for name, contents := range map[string]string{
		"json":           `{"to":"a@example.com","fieldOfALaterVersion":[1,2]}`,
		"not json":       "\x00\xffnot json",
		"empty":          "",
		"truncated json": `{"to":`,
	} {
		t.Run(name, func(t *testing.T) {
			d := job.DeadLetter{ID: "x", Queue: job.QueueEmailNormal, Reason: job.ReasonUndecodable}
			d.SetContents([]byte(contents))
			b, err := d.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := job.DecodeDeadLetter(b)
			if err != nil {
				t.Fatal(err)
			}
			if string(back.Contents()) != contents || back.Died == 0 {
				t.Errorf("got %q, died %d; want %q", back.Contents(), back.Died, contents)
			}
		})
	}
}

func TestOptOutTest(t *testing.T) {
	for _, c := range []struct {
		optedOut, flags int64
		want            bool
	}{{1, 4, true}, {4, 4, false}, {6, 4, false}, {2, 4, true}, {4, 0, true}, {-1, 2, false}} {
		if got := job.Allowed(c.optedOut, c.flags); got != c.want {
			t.Errorf("Allowed(%d, %d) = %v", c.optedOut, c.flags, got)
		}
	}
}

func TestEveryDocumentedEventAndEveryTrapIsRead(t *testing.T) {
	var events []json.RawMessage
	readJSON(t, "testdata/sendgrid-events.json", &events)
	var edge []struct {
		Why   string
		Event json.RawMessage
	}
	readJSON(t, "testdata/sendgrid-events-edge.json", &edge)
	for _, e := range edge {
		events = append(events, e.Event)
	}
	for _, raw := range events {
		e, err := job.DecodeEvent(raw)
		if err != nil {
			t.Errorf("%v in %s", err, raw)
			continue
		}
		if y := e.At.Year(); y < 2020 || y > 2026 {
			t.Errorf("time %v of %s", e.At, raw)
		}
	}
}

func TestAFieldOfTheWrongTypeDoesNotCostTheEvent(t *testing.T) {
	e, err := job.DecodeEvent([]byte(`{"event":"bounce","pmStatsID":"6920d5c40000000000000001","timestamp":{},"reason":[1],"sg_event_id":7}`))
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != job.EventBounce || !e.Ours() || !e.At.IsZero() || e.Reason != "" || e.ID != "7" || e.Env != job.DefaultEnv {
		t.Errorf("got %+v", e)
	}
}

func TestACallersOwnArgumentIsNotTakenForSendGridsField(t *testing.T) {
	e, err := job.DecodeEvent([]byte(`{"event":"open","Event":"bounce","Email":"b@x","email":"a@x","PMSTATSID":"6920d5c40000000000000002",` +
		`"pmStatsID":"6920d5c40000000000000001","pmFlags":"7"}`))
	if err != nil || e.Type != job.EventOpen || e.Email != "a@x" || e.StatsID != "6920d5c40000000000000001" || e.Flags != 0 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestAOneClickUnsubscribeIsReadBack(t *testing.T) {
	at := time.Unix(1767225600, 0)
	raw, err := job.EncodeOneClick("a@example.com", 1<<40|4, at)
	if err != nil {
		t.Fatal(err)
	}
	e, err := job.DecodeEvent(raw)
	want := job.Event{Type: job.EventOneClick, Email: "a@example.com", Flags: 1<<40 | 4, At: at, Env: job.DefaultEnv}
	if err != nil || e != want || e.Ours() {
		t.Errorf("got %+v, %v, want %+v", e, err, want)
	}
}

func TestASingleObjectIsABatchOfOne(t *testing.T) {
	for contents, want := range map[string]int{`{"event":"open"}`: 1, ` [{"event":"open"},3]`: 2, `[]`: 0} {
		raws, err := job.SplitEvents([]byte(contents))
		if err != nil || len(raws) != want {
			t.Errorf("%s: %d elements, %v", contents, len(raws), err)
		}
	}
	if _, err := job.SplitEvents([]byte(`"x"`)); err == nil {
		t.Error("a string passed for a batch")
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"event":"open","timestamp":1591726752372,"pmStatsID":"6920d5c40000000000000001"}`))
	f.Add([]byte(`[{"event":"bounce","timestamp":"1e400","type":true}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := job.DecodeEvent(b); err == nil && e.Type == "" {
			t.Errorf("an event without a name from %q", b)
		}
		raws, _ := job.SplitEvents(b)
		for _, raw := range raws {
			job.DecodeEvent(raw)
		}
	})
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEarlyNeverOverflows(t *testing.T) {
	now := time.Unix(1_800_000_000, 500)
	for _, c := range []struct {
		name   string
		sendAt int64
		want   time.Duration
	}{
		{"none", 0, 0},
		{"past", now.Unix() - 1, 0},
		{"this second", now.Unix(), 0},
		{"next second", now.Unix() + 1, time.Second - 500},
		{"end of the year 9999", job.MaxTime, math.MaxInt64},
		{"milliseconds", now.UnixMilli(), math.MaxInt64},
		{"largest", math.MaxInt64, math.MaxInt64},
		{"smallest", math.MinInt64, 0},
	} {
		if got := job.Early(c.sendAt, now); got != c.want {
			t.Errorf("%s: waits %v, want %v", c.name, got, c.want)
		}
	}
}
