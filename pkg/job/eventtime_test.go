package job_test

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestTimestampsAreSecondsOrMilliseconds(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{
		"1767225664": 1767225664, "1767225664.9": 1767225664, "1.767225664e9": 1767225664, "1": 1,
		"1767225664123": 1767225664, "100000000000": 100_000_000, "99999999999": 99_999_999_999, "100000000000000": 100_000_000_000,
	} {
		if got := job.EventTime(s); !got.Equal(time.Unix(want, 0)) {
			t.Errorf("%s: %v, want %v", s, got, time.Unix(want, 0))
		}
	}
	for _, s := range []string{"", "0", "-1", "x", "1767225664x", "NaN", "Inf", "1e15", "100000000000001", "18446744073709551616"} {
		if got := job.EventTime(s); !got.IsZero() {
			t.Errorf("%q: %v, want none", s, got)
		}
	}
}
