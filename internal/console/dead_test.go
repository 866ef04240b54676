package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/testenv/browser"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// die has a mail dead as a worker would: in the ledger and among the letters.
func (r *rig) die(to, reason, detail string) *job.Email {
	r.Helper()
	e := mail(to)
	r.settle(e, stats.Dead, reason)
	r.bury(e, reason, detail)
	return e
}

// total is how many events a queue has.
func (r *rig) total(queue string) int {
	r.Helper()
	s, err := r.okq.Status(r.Context(), queue)
	if err != nil || len(s) != 1 {
		r.Fatalf("status %v, %v", s, err)
	}
	return s[0].Total
}

// agree answers the page that asks, as a browser would, and returns the page that it leads to.
func (v *visitor) agree(path string) string {
	v.Helper()
	status, page := v.get(path)
	_, ask, found := strings.Cut(page, `<form method="post" action="/dead"`)
	if status != http.StatusOK || !found {
		v.Fatalf("GET %s: %d %s", path, status, page)
	}
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(ask, -1) {
		form.Add(m[1], m[2])
	}
	a := v.do(v.request(http.MethodPost, "/dead", form))
	if a.StatusCode != http.StatusSeeOther {
		v.Fatalf("POST /dead: %d %s", a.StatusCode, a.body)
	}
	_, page = v.get(a.Header.Get("Location"))
	return page
}

func TestDeadLettersAreGroupedByReasonAndFiltered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		r.die("ann@example.com", job.ReasonRejected, "bad sender")
	}
	bob := r.die("bob@example.com", job.ReasonUnknown, "")
	if err := r.okq.Push(t.Context(), okq.Event{Queue: job.QueueStatsDead, ID: "batch-1", Contents: []byte("junk")}); err != nil {
		t.Fatal(err)
	}
	v := r.visitor()
	_, page := v.get("/dead")
	wantIn(t, page, []string{"rejected <b>3</b>", "unknown outcome <b>1</b>", "rejected: bad sender", `<a href="/mails/` + string(bob.ID) + `">bob@example.com</a>`, "4 in all"}, "batch-1")
	_, page = v.get("/dead?reason=rejected")
	wantIn(t, page, []string{"unknown outcome <b>1</b>", "ann@example.com", "Requeue all 3"}, ">bob@example.com<")
	_, page = v.get("/dead?recipient=BOB%40example.com")
	wantIn(t, page, []string{"Requeue all 1", ">bob@example.com<"}, ">ann@example.com<")
	_, page = v.get("/dead?age=older-1h")
	wantIn(t, page, []string{"No dead letters match"})
	_, page = v.get("/dead?queue=stats-dead")
	wantIn(t, page, []string{"batch-1", "not a dead letter"}, "ann@example.com")
	for _, bad := range []string{"/dead?queue=email-normal", "/dead?age=x", "/dead/ask?act=drop&all=1&queue=q"} {
		if status, _ := v.get(bad); status != http.StatusBadRequest {
			t.Errorf("GET %s: %d, want 400", bad, status)
		}
	}
}

func TestNothingIsDoneToLettersBeforeItIsAgreedTo(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	ann, bob := r.die("ann@example.com", job.ReasonRejected, ""), r.die("bob@example.com", job.ReasonRejected, "")
	v := r.loggedIn(password)
	_, page := v.get("/dead/ask?act=requeue&queue=email-dead&id=" + string(ann.ID))
	wantIn(t, page, []string{"Requeue 1 dead mails?", "ann@example.com"}, "bob@example.com")
	if status, _ := v.get("/dead/ask?act=drop"); status != http.StatusSeeOther {
		t.Errorf("nothing chosen: %d, want the list again", status)
	}
	for _, form := range []url.Values{
		{"act": {"drop"}, "until": {"9999999999"}}, {"act": {"drop"}, "all": {"1"}}, {"act": {"x"}, "all": {"1"}, "until": {"9999999999"}},
		{"act": {"drop"}, "all": {"1"}, "until": {"9999999999"}, "queue": {"email-normal"}},
	} {
		if status, _ := v.post("/dead", form); status != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", form, status)
		}
	}
	if status, _ := r.loggedIn(readOnlyPassword).post("/dead", url.Values{"act": {"drop"}, "all": {"1"}, "until": {"9999999999"}}); status != http.StatusForbidden {
		t.Errorf("a read-only user: %d", status)
	}
	if n := r.total(job.QueueEmailDead); n != 2 {
		t.Fatalf("%d letters, want both", n)
	}
	page = v.agree("/dead/ask?act=requeue&queue=email-dead&id=" + string(ann.ID))
	wantIn(t, page, []string{"1 requeued.", "bob@example.com"}, "ann@example.com")
	if found, ok, err := r.okq.Find(t.Context(), job.QueueEmailNormal, string(ann.ID)); err != nil || !ok || found.State != okq.StateReady {
		t.Errorf("the requeued job: %+v %v %v", found, ok, err)
	}
	page = v.agree("/dead/ask?act=drop&queue=email-dead&id=" + string(bob.ID))
	wantIn(t, page, []string{"1 dropped.", "No dead letters"})
	var done []string
	for _, line := range r.log.lines("act") {
		done = append(done, fmt.Sprint(line["user"], " ", line["act"], " ", line["event_id"]))
	}
	if want := []string{"Kim requeue " + string(ann.ID), "Kim drop " + string(bob.ID)}; fmt.Sprint(done) != fmt.Sprint(want) {
		t.Errorf("logged %v, want %v", done, want)
	}
}

func TestAllIsWhatWasCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 40 {
		r.die(fmt.Sprintf("u%d@example.com", i), []string{job.ReasonRejected, job.ReasonAttempts}[i%2], "")
	}
	sent := r.die("sent@example.com", job.ReasonAttempts, "")
	r.happen(sent, job.EventDelivered, "")
	// One that dies after the page has counted is not meant.
	late := mail("late@example.com")
	contents, _ := late.Encode()
	letter := job.DeadLetter{ID: string(late.ID), Queue: late.Queue(), Reason: job.ReasonAttempts, Died: time.Now().Add(time.Minute).Unix()}
	letter.SetContents(contents)
	contents, _ = letter.Encode()
	if err := r.okq.Push(t.Context(), okq.Event{Queue: job.QueueEmailDead, ID: letter.ID, Contents: contents}); err != nil {
		t.Fatal(err)
	}
	v := r.visitor()
	page := v.agree("/dead/ask?act=requeue&queue=email-dead&all=1&reason=" + url.QueryEscape(job.ReasonAttempts))
	wantIn(t, page, []string{"20 requeued.", "1 left alone, since SendGrid has them after all", "late@example.com", "sent@example.com"})
	if queued, dead := r.total(job.QueueEmailNormal), r.total(job.QueueEmailDead); queued != 20 || dead != 22 {
		t.Errorf("%d queued and %d dead, want 20 and 22", queued, dead)
	}
}

func TestOneRequeuesADeadLetterByKeyboard(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.die(fmt.Sprintf("someone.with.a.long.name+%d@mail.example.com", i), []string{job.ReasonRejected, job.ReasonUnknown}[i%2], "the from address does not match a verified Sender Identity")
	}
	ann := r.die("ann@example.com", job.ReasonAttempts, "503 from SendGrid")
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "console-dead", r.URL+"/dead", `.letters`)
	browser.Look(t, tab, "console-dead-ask", r.URL+"/dead/ask?act=requeue&all=1&queue=email-dead", `.which`)
	browser.Look(t, tab, "console-mail-dead", r.URL+"/mails/"+string(ann.ID), `#timeline`)
	browser.Do(t, tab, chromedp.Navigate(r.URL+"/dead"), chromedp.WaitVisible(chromedp.CSS(`.letters`)))
	browser.Ask(t, tab, chromedp.Evaluate[bool](`document.querySelector("input[value='`+string(ann.ID)+`']").focus() || true`))
	browser.Do(t, tab, chromedp.KeyEvent(" \r"), // tick the box; Enter presses the form's first button
		chromedp.WaitVisible(`//h1[text()="Requeue 1 dead mails?"]`), chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(`.done`)))
	text := browser.Ask(t, tab, chromedp.Text(chromedp.CSS(`.done`)))
	if !strings.Contains(text, "1 requeued") || r.total(job.QueueEmailNormal) != 1 || r.total(job.QueueEmailDead) != 5 {
		t.Errorf("it says %q; %d queued, %d dead", text, r.total(job.QueueEmailNormal), r.total(job.QueueEmailDead))
	}
}
