package hooks

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestEventsOfOtherEnvironmentsAloneAreWarnedOfEachMinute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	w := newEnvWatch([]string{"production"}, zerolog.New(&log), func() time.Time { return now })
	warnings := func() int { return strings.Count(log.String(), "every event is dropped") }

	w.add(0, []string{"blue"})
	for range 59 {
		now = now.Add(3 * time.Second) // three minutes and a little less
		w.add(0, []string{"blue", "green"})
	}
	if got := warnings(); got != 3 || !strings.Contains(log.String(), "green") || !w.failing() {
		t.Errorf("%d warnings, failing %v: %s", got, w.failing(), &log)
	}
	w.add(1, []string{"blue"})
	if w.failing() {
		t.Error("failing though an event was accepted")
	}
	log.Reset()
	for range 100 {
		now = now.Add(30 * time.Second)
		w.add(0, []string{"blue"})
		now = now.Add(20 * time.Second)
		w.add(1, nil)
	}
	if warnings() != 0 || w.failing() {
		t.Errorf("failing %v though events are accepted: %s", w.failing(), &log)
	}
	now = now.Add(time.Hour)
	if w.failing() {
		t.Error("failing though no event arrives")
	}
}
