package hooks

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// reference is readBatch written with encoding/json and job.DecodeEvent: what goes on to pm-worker, how many events
// were judged how, and whether the POST is a batch at all.
func reference(body []byte, f filter) (kept []json.RawMessage, counts map[result]int, ok bool) {
	var raws []json.RawMessage
	if err := json.Unmarshal(body, &raws); err != nil || raws == nil {
		return nil, nil, false
	}
	counts = map[result]int{}
	objects := 0
	for _, raw := range raws {
		if raw[0] == '{' {
			objects++
		}
		res := referenceResult(raw, f)
		counts[res]++
		if res == accepted {
			kept = append(kept, raw)
		}
	}
	return kept, counts, objects > 0 || len(raws) == 0
}

func referenceResult(raw json.RawMessage, f filter) result {
	e, err := job.DecodeEvent(raw)
	switch {
	case err != nil:
		return bad
	case e.Type == job.EventAccountStatus:
		return account
	case !e.Ours():
		return notOurs
	case !f.envs[e.Env]:
		return otherEnv
	case !slices.Contains(eventTypes[1:], e.Type):
		return unknownType
	}
	return accepted
}

func seeds(tb testing.TB) [][]byte {
	wire, err := os.ReadFile("testdata/sendgrid-events.wire")
	if err != nil {
		tb.Fatal(err)
	}
	edge, err := os.ReadFile("testdata/sendgrid-events-edge.json")
	if err != nil {
		tb.Fatal(err)
	}
	id := `"pmStatsID":"6920d5c40000000000000001"`
	seeds := [][]byte{wire, edge}
	for _, s := range []string{
		``, `[]`, ` [ ] `, `[1]`, `[null,{}]`, `{}`, `[`, `[{`, `[{}`, `[{},]`, `[{}]]`, `[{}] []`, `[{"a":}]`, `[{"a"}]`, `[{,}]`,
		`[{"event":"open",` + id + `}]`, `[{"event":"open","event":null,` + id + `}]`, `[{"event":"open","Event":"x",` + id + `}]`,
		`[{"event":7,` + id + `},{"event":true},{"event":{}},{"event":[]}]`, `[{"event":"op\u0065n","pm\u0053tatsID":"6920d5c40000000000000001"}]`,
		`[{"event":"\ud800","pmEnvID":"\udc00\ud800",` + id + `}]`, "[{\"event\":\"\xff\",\"pmEnvID\":\"\xff\"," + id + "}]",
		`[{"event":"open","pmEnvID":"dev",` + id + `},{"event":"open","stats_id":"6920d5c40000000000000001"}]`,
		`[{"event":"open","pmStatsID":null,"stats_id":"6920d5c40000000000000001","timestamp":1e3,"n":-0.0E+1}]`,
		`[{"event":"unsubscribe",` + id + `},{"event":"spamreport","timestamp":"x",` + id + `},{"event":"group_resubscribe","timestamp":99999999999,` + id + `}]`,
		`[{"event":"account_status_change","type":"compliance_ban"}]`, "\ufeff[]", "[{\"a\":\"\x00\"}]", `[{"a":"\x"}]`, `[01]`, `[1.]`,
	} {
		seeds = append(seeds, []byte(s))
	}
	return seeds
}

// FuzzReadBatch holds the scanner to what encoding/json and job.DecodeEvent say of the same bytes, and what it keeps
// to what pm-worker will read.
func FuzzReadBatch(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	accepts := newFilter([]string{"production", "staging", "é"})
	f.Fuzz(func(t *testing.T, body []byte) {
		want, counts, ok := reference(body, accepts)
		before := bytes.Clone(body)
		b, err := readBatch(body, arrival{at: arrived}, accepts)
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
		if (err == nil) != ok {
			t.Fatalf("%q: %v, but a batch is %v", body, err, ok)
		}
		if !ok {
			return
		}
		for res := range results {
			n := 0
			for typ := range eventTypes {
				n += b.counts[typ][res]
			}
			if n != counts[res] {
				t.Errorf("%q: %d events %s, want %d", body, n, resultNames[res], counts[res])
			}
		}
		var got []json.RawMessage
		for _, e := range slices.Concat(b.optOuts, b.events) {
			raws, err := job.SplitEvents(e.Contents)
			if err != nil {
				t.Fatalf("queued %q: %v", e.Contents, err)
			}
			got = append(got, raws...)
		}
		want = ahead(t, want)
		if !slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("%q: kept %q, want %q", body, got, want)
		}
	})
}

var arrived = time.Unix(1_800_000_000, 0)

// ahead puts the opt-outs first, and gives changes of preferences without a time that of their arrival.
func ahead(t *testing.T, raws []json.RawMessage) []json.RawMessage {
	var outs, others []json.RawMessage
	for _, raw := range raws {
		e, err := job.DecodeEvent(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch e.Type {
		case job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventGroupResubscribe, job.EventSpamReport:
			if e.At.IsZero() || e.At.After(arrived.Add(time.Hour-time.Nanosecond)) {
				raw = append(bytes.Clone(raw[:len(raw)-1]), `,"timestamp":1800000000}`...)
			}
		}
		if e.Type == job.EventUnsubscribe || e.Type == job.EventGroupUnsubscribe {
			outs = append(outs, raw)
		} else {
			others = append(others, raw)
		}
	}
	return append(outs, others...)
}

func TestOptOutsGoAheadOfAllOthers(t *testing.T) {
	t.Parallel()
	const id = `"pmStatsID":"6920d5c40000000000000001"`
	body := []byte(`[{"event":"open",` + id + `},{"event":"unsubscribe","timestamp":1700000000,` + id + `},{"event":"group_unsubscribe","timestamp":"soon",` + id + `},` +
		`{"event":"group_resubscribe","timestamp":9999999999,` + id + `}]`)
	b, err := readBatch(body, arrival{at: arrived, digest: make([]byte, 32), signed: true}, newFilter([]string{"production"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.optOuts) != 1 || len(b.events) != 1 {
		t.Fatalf("%d and %d events", len(b.optOuts), len(b.events))
	}
	const outs = `[{"event":"unsubscribe","timestamp":1700000000,` + id + `},{"event":"group_unsubscribe","timestamp":"soon",` + id + `,"timestamp":1800000000}]`
	if got := string(b.optOuts[0].Contents); got != outs {
		t.Errorf("opt-outs %s", got)
	}
	const others = `[{"event":"open",` + id + `},{"event":"group_resubscribe","timestamp":9999999999,` + id + `,"timestamp":1800000000}]`
	if got := string(b.events[0].Contents); got != others {
		t.Errorf("others %s", got)
	}
	for _, e := range append(b.optOuts, b.events...) {
		if !job.SignedEvents(e.ID) || e.Queue != job.QueueStats {
			t.Errorf("%s of %s", e.ID, e.Queue)
		}
	}
}

func TestALargePostIsSplitIntoEventsThatOkqTakes(t *testing.T) {
	small := []byte(`{"event":"open","pmStatsID":"6920d5c40000000000000001","x":"` + string(bytes.Repeat([]byte("x"), 300)) + `"}`)
	huge := []byte(`{"event":"open","pmStatsID":"6920d5c40000000000000001","x":"` + string(bytes.Repeat([]byte("y"), 2*maxContents)) + `"}`)
	var want [][]byte
	for i := range 9000 {
		want = append(want, small)
		if i == 5000 {
			want = append(want, huge)
		}
	}
	b, err := readBatch(slices.Concat([]byte("["), bytes.Join(want, []byte(",\r\n")), []byte("]")), arrival{}, newFilter([]string{"production"}))
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, e := range b.events {
		raws, err := job.SplitEvents(e.Contents)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Contents) > maxContents && len(raws) > 1 {
			t.Errorf("an okq event of %d bytes with %d events", len(e.Contents), len(raws))
		}
		for _, raw := range raws {
			got = append(got, raw)
		}
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d events in %d parts, want %d in their order", len(got), len(b.events), len(want))
	}
	if len(b.events) > 6 {
		t.Errorf("%d parts for %d bytes", len(b.events), 9000*len(small)+len(huge))
	}
}

func TestTheSameEventsGetTheSameID(t *testing.T) {
	body := seeds(t)[0]
	f := newFilter([]string{"production"})
	first, err := readBatch(body, arrival{}, f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := readBatch(body, arrival{}, f)
	if err != nil {
		t.Fatal(err)
	}
	other, err := readBatch(bytes.Replace(body, []byte("alex"), []byte("anna"), 1), arrival{}, f)
	if err != nil {
		t.Fatal(err)
	}
	if first.events[0].ID != again.events[0].ID || first.events[0].ID == other.events[0].ID {
		t.Errorf("IDs %s, %s, %s", first.events[0].ID, again.events[0].ID, other.events[0].ID)
	}
}

// thousand is a POST of n events as SendGrid sends them, all ours.
func thousand(tb testing.TB, n int) []byte {
	var raws []json.RawMessage
	if err := json.Unmarshal(seeds(tb)[0], &raws); err != nil {
		tb.Fatal(err)
	}
	body := []byte("[")
	for i := range n {
		if i > 0 {
			body = append(body, ",\r\n"...)
		}
		body = append(body, raws[i%(len(raws)-1)]...) // the last is account_status_change
	}
	return append(body, "]\r\n"...)
}

func BenchmarkReadBatch(b *testing.B) {
	body, f := thousand(b, 1000), newFilter([]string{"production"})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readBatch(body, arrival{at: time.Now()}, f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReference is the same work with encoding/json, which BenchmarkReadBatch is the reason not to use.
func BenchmarkReference(b *testing.B) {
	body, f := thousand(b, 1000), newFilter([]string{"production"})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		reference(body, f)
	}
}
