package okq_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func TestScanTellsAllAndLeavesThemInPlace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, "q", 1200)
	if _, err := c.Pop(ctx, "q", 2, time.Minute); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Redo(ctx, "q", "1", time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	before := status(t, c, "q")
	var ids, want []string
	for id, err := range c.Scan(ctx, "q") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i := range 1200 {
		want = append(want, fmt.Sprint(i))
	}
	if slices.Sort(ids); !slices.Equal(ids, slices.Sorted(slices.Values(want))) {
		t.Errorf("%d ids, want 1200", len(ids))
	}
	after := status(t, c, "q")
	if after.OldestAge = before.OldestAge; after != before {
		t.Errorf("the looks made %+v of %+v", after, before)
	}
}

func TestTheOriginalCannotScan(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	for _, err := range c.Scan(t.Context(), "q") {
		if !errors.Is(err, okq.ErrNoScan) {
			t.Errorf("scan: %v", err)
		}
	}
}
