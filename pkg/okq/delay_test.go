package okq

import (
	"math"
	"testing"
	"time"
)

func TestTimesOnTheWireAreRoundedUpAndNeverOverflow(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", 1: "1", time.Millisecond: "1", time.Millisecond + 1: "2", time.Hour: "3600000", math.MaxInt64: "9223372036855",
	} {
		if got := delayMillis(d); got != want {
			t.Errorf("a delay of %d ns is %s ms, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "30", 1: "1", time.Second: "1", time.Second + 1: "2", math.MaxInt64: "9223372037"} {
		if got := leaseSeconds(d); got != want {
			t.Errorf("a lease of %d ns is %s s, want %s", d, got, want)
		}
	}
}
