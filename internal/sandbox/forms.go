package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// back answers a form so that reloading the page does not send it again.
func back(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func (s *Sandbox) formDeleteMails(w http.ResponseWriter, r *http.Request) {
	s.DeleteMails()
	back(w, r, "/")
}

func (s *Sandbox) formMakeEvent(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxAPIBody)
	id := r.PathValue("id")
	req := EventRequest{Kind: Kind(r.PostFormValue("event")), Email: r.PostFormValue("email")}
	if _, err := s.MakeEvent(id, req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back(w, r, "/mails/"+id+"#events")
}

func (s *Sandbox) pageFaults(w http.ResponseWriter, _ *http.Request) {
	s.renderFaults(w, http.StatusOK, "")
}

func (s *Sandbox) renderFaults(w http.ResponseWriter, status int, fault string) {
	data := struct {
		page
		faultsView
	}{s.page("faults", "Faults"), newFaultsView(s.Faults())}
	data.Error = fault
	s.render(w, status, "faults", data)
}

func (s *Sandbox) formAddFault(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxAPIBody)
	rule, err := ruleFromForm(r)
	if err == nil {
		err = s.faults.Add(rule)
	}
	if err != nil {
		s.renderFaults(w, http.StatusBadRequest, err.Error())
		return
	}
	s.feed.Changed()
	back(w, r, "/faults")
}

func ruleFromForm(r *http.Request) (faults.Rule, error) {
	number := func(field string) (float64, error) {
		text := r.PostFormValue(field)
		if text == "" {
			return 0, nil
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 || n > 1e9 {
			return 0, fmt.Errorf("%s must be a number, not %q", field, text)
		}
		return n, nil
	}
	var values [4]float64
	for i, field := range []string{"percent", "count", "delay", "jitter"} {
		var err error
		if values[i], err = number(field); err != nil {
			return faults.Rule{}, err
		}
	}
	millis := func(n float64) faults.Duration { return faults.Duration(n * float64(time.Millisecond)) }
	return faults.Rule{
		Fault:       faults.Fault(r.PostFormValue("fault")),
		Probability: values[0] / 100,
		Count:       int(values[1]),
		Delay:       millis(values[2]),
		Jitter:      millis(values[3]),
		To:          r.PostFormValue("to"),
		HTML:        r.PostFormValue("html") != "",
	}, nil
}

func (s *Sandbox) formClearFaults(w http.ResponseWriter, r *http.Request) {
	s.ClearFaults()
	back(w, r, "/faults")
}

func (s *Sandbox) pageSettings(w http.ResponseWriter, _ *http.Request) {
	s.renderSettings(w, http.StatusOK, "")
}

func (s *Sandbox) renderSettings(w http.ResponseWriter, status int, fault string) {
	data := struct {
		page
		Webhook, PublicKey string
		Counts             []pair
	}{s.page("settings", "Settings"), s.hook.URL(), s.publicKey, countRows(s.Counters())}
	data.Error = fault
	s.render(w, status, "settings", data)
}

func (s *Sandbox) formSetWebhook(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxAPIBody)
	if err := s.SetWebhookURL(r.PostFormValue("url")); err != nil {
		s.renderSettings(w, http.StatusBadRequest, err.Error())
		return
	}
	back(w, r, "/settings")
}
