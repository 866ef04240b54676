package console_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/testenv/browser"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// withHistory fills the store before the console counts: 1,000 mails yesterday, of which 4 were reported as spam and 100
// bounced, and 10 today.
func withHistory(t *testing.T) option {
	return func(c *console.Config, d *console.Deps) {
		c.FlagNames = map[string]string{"2": "news"}
		s := d.Records.(stats.Store)
		sent := func(at time.Time, n int, flags int64, events ...string) {
			seconds := uint32(at.Unix())
			var settlements []stats.Settlement
			var folds []job.Event
			for range n {
				random, err := hex.DecodeString(string(job.NewID()))
				if err != nil {
					t.Fatal(err)
				}
				id := job.ID(hex.EncodeToString(append([]byte{byte(seconds >> 24), byte(seconds >> 16), byte(seconds >> 8), byte(seconds)}, random[4:]...)))
				subject := stats.Subject{ID: id, Recipient: "ann@example.com", EmailFlags: flags, Created: at}
				settlements = append(settlements, stats.Settlement{Subject: subject, Number: 1, State: stats.Accepted, At: at})
				for _, kind := range events {
					folds = append(folds, job.Event{StatsID: id, Type: kind, At: at})
				}
			}
			if err := s.Settle(t.Context(), settlements); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Fold(t.Context(), folds); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now().UTC()
		yesterday := now.Truncate(24 * time.Hour).Add(-12 * time.Hour)
		sent(yesterday, 896, 2, job.EventDelivered)
		sent(yesterday, 4, 4, job.EventDelivered, job.EventSpamReport)
		sent(yesterday, 100, 2, job.EventBounce)
		sent(now.Add(-time.Second), 10, 0, job.EventDelivered)
	}
}

func TestHealthHoldsRatesAgainstTheLinesOfMailboxProviders(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHistory(t))
	v := r.visitor()
	var page string
	r.eventually("the mails are counted", func() bool {
		_, page = v.get("/health")
		return strings.Contains(page, "As of") && !strings.Contains(page, "of 30 days are counted")
	})
	for _, want := range []string{
		"<dt>Sent</dt><dd>1,010</dd>",
		`<div class="bad"><dt>Bounced</dt><dd>9.90 %</dd></div>`,
		`<div class="bad"><dt>Reported as spam</dt><dd>0.44 %</dd></div>`, // 4 of 910
		`<th scope="row">news</th>`, "mail with flag 4", "without a flag",
		"0.1 %: stay below", "0.3 %: never reach",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	_, news, _ := strings.Cut(page, `<th scope="row">news</th>`)
	news, _, _ = strings.Cut(news, "</tr>")
	if !strings.Contains(news, `<td data-label="Sent">996</td>`) || !strings.Contains(news, `<td data-label="Spam reports" class="">0.0 %</td>`) {
		t.Errorf("news: %s", news)
	}
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "console-health", r.URL+"/health", `svg.rates`)
	browser.Do(t, tab, chromedp.WaitVisible(chromedp.CSS(`table.outcomes`)))
}

func TestHealthWithoutAStoreSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, withoutStore)
	if status, page := r.visitor().get("/health"); status != http.StatusOK || !strings.Contains(page, "There is no store") {
		t.Errorf("status %d, %s", status, page)
	}
}

func TestNowTellsWhatKeepsWorkersFromSending(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	r.beat([]heartbeat.Beat{
		{Worker: "one/1", State: heartbeat.Sending, InHand: 12},
		{Worker: "two/1", State: heartbeat.RateLimited, Until: now.Add(time.Minute)},
		{Worker: "three/1", State: heartbeat.Refused, Until: now.Add(time.Minute)},
		{Worker: "four/1", State: heartbeat.Away, Until: now.Add(time.Minute)},
		{Worker: "five/1", State: heartbeat.StoreAway},
	})
	pause := job.Pause{By: "kim"}
	contents, err := pause.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.push(job.PauseQueue(job.QueueEmailNormal), job.PauseID, contents)
	v := r.visitor()
	want := []string{
		"one/1", "sending", "rate limited by SendGrid, goes on in", "SendGrid refuses the account, next probe in",
		"SendGrid gives no answer, next probe in", "waits for the store", `email-normal <span class="badge warn">paused</span>`,
	}
	var page string
	for _, text := range want { // the page may have been sampled between two beats
		r.eventually("the page shows "+text, func() bool {
			_, page = v.get("/")
			return strings.Contains(page, text)
		})
	}
	if strings.Contains(page, `id="q-`+job.PauseQueue(job.QueueEmailNormal)) {
		t.Error("the queue that pauses another is shown as one of its own")
	}
	browser.Look(t, browser.NewTab(t), "console-now-workers", r.URL+"/", `.workers`)
}

// beat has workers beat until the test ends: a browser may take longer over a page than a beat is fresh.
func (r *rig) beat(beats []heartbeat.Beat) {
	var wg sync.WaitGroup
	r.Cleanup(wg.Wait)
	wg.Go(func() {
		for r.Context().Err() == nil {
			for _, b := range beats {
				b.At, b.Queues = time.Now(), []string{job.QueueEmailHigh}
				b.Started = b.At.Add(-time.Hour)
				if err := r.stores.Beats.Beat(r.Context(), b); err != nil && r.Context().Err() == nil {
					r.Error(err)
				}
			}
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}
	})
}
