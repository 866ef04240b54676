package hooks

import (
	"bytes"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// TestABodyThatOkqsClientMayStillSendBecomesNoOther reads bodies into memory that is used again, after the push of one
// failed.
func TestABodyThatOkqsClientMayStillSendBecomesNoOther(t *testing.T) {
	t.Parallel()
	budget := newBudget(1<<30, prometheus.NewGauge(prometheus.GaugeOpts{Name: "held"}))
	read := func(fill byte) ([]byte, *share) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(bytes.Repeat([]byte{fill}, 500_000)))
		body, held, ref := budget.read(r)
		if ref != nil {
			t.Fatal(ref)
		}
		return body, held
	}
	push := func(fill byte, outcome error) []byte {
		body, held := read(fill)
		held.hold()
		held.pushed(outcome)
		held.letGo()
		return body
	}
	failed := push('a', okq.ErrUnavailable)
	reused := false
	for range 100 {
		before := push('b', nil)
		push('c', nil)
		reused = reused || before[0] == 'c'
	}
	if !bytes.Equal(failed, bytes.Repeat([]byte{'a'}, 500_000)) {
		t.Error("what okq's client may still be sending has another body in it")
	}
	if !reused {
		t.Error("no memory is used again, so this shows nothing")
	}
}
