package sendgrid

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/rest"
)

// statuses says what each answer proves. Those that are not listed: see classify.
//
// 408 and 503 are given by what stands in front of SendGrid's mail server, and 500, 502 and 504 by what stands in
// front of it or by itself, at any moment.
var statuses = map[int]Outcome{
	http.StatusAccepted:           Accepted,
	http.StatusUnauthorized:       Refused, // also an exhausted plan: "Maximum credits exceeded"
	http.StatusPaymentRequired:    Refused,
	http.StatusProxyAuthRequired:  Refused,
	http.StatusRequestTimeout:     NotSent,
	http.StatusTooManyRequests:    Limited,
	http.StatusServiceUnavailable: NotSent,
}

// classify reads an answer.
//
// Source: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses
func classify(resp *rest.Response, now time.Time) Result {
	header := http.Header(resp.Headers)
	r := Result{Status: resp.StatusCode, MessageID: header.Get("X-Message-Id")}
	r.Outcome = outcomeOf(resp)
	if r.Outcome == Accepted {
		return r
	}
	r.Errors = providerErrors(resp)
	switch {
	case r.Outcome == Limited:
		r.Until = limitEnd(header, now)
	case resp.StatusCode == http.StatusForbidden:
		r.Outcome = forbidden(r.Errors)
	}
	return r
}

func outcomeOf(resp *rest.Response) Outcome {
	status := resp.StatusCode
	if o, ok := statuses[status]; ok {
		return o
	}
	switch {
	case status == http.StatusOK && strings.TrimSpace(resp.Body) == "":
		return Accepted // SendGrid's sandbox mode
	case status >= 300 && status < 400:
		return Refused // SendGrid redirects nothing: --sendgrid-url leads elsewhere
	case status >= 400 && status < 500:
		return Rejected // 451 too: a mail for another data region
	}
	return Unknown // a 5xx, or a 2xx that is not SendGrid's
}

// forbidden splits 403 by what it says: a sender that is not verified is the mail's fault, and anything else, such as
// "temporarily blocked … repeated bad requests", is not.
func forbidden(errs []job.ProviderError) Outcome {
	for _, e := range errs {
		text := strings.ToLower(e.Message)
		if e.Field == "from" || strings.HasPrefix(e.Field, "from.") ||
			strings.Contains(text, "sender identity") || strings.Contains(text, "from address") {
			return Rejected
		}
	}
	return Refused
}

// maxLimit bounds how far ahead a limit is believed to end.
const maxLimit = time.Hour

// limitEnd reads when a rate limit ends: X-RateLimit-Reset, in unix seconds, or HTTP's own Retry-After.
func limitEnd(h http.Header, now time.Time) time.Time {
	var until time.Time
	if n, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		until = time.Unix(n, 0)
	} else if n, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32); err == nil {
		until = now.Add(time.Duration(n) * time.Second)
	} else if t, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		until = t
	}
	if !until.After(now) {
		return time.Time{}
	}
	if latest := now.Add(maxLimit); until.After(latest) {
		return latest
	}
	return until
}
