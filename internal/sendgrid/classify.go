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
// 404, 405, 406 and 415 are about the route, the method or the headers, which are the same for all emails. 408 and 503 are given by what stands in front of SendGrid's mail server, and 500, 502 and 504 by what stands in
// front of it or by itself, at any moment.
var statuses = map[int]Outcome{
	http.StatusAccepted:              Accepted,
	http.StatusUnauthorized:          Refused, // also an exhausted plan: "Maximum credits exceeded"
	http.StatusPaymentRequired:       Refused,
	http.StatusNotFound:              Refused,
	http.StatusMethodNotAllowed:      Refused,
	http.StatusNotAcceptable:         Refused,
	http.StatusUnsupportedMediaType:  Refused,
	http.StatusProxyAuthRequired:     Refused,
	http.StatusRequestTimeout:        NotSent,
	http.StatusRequestEntityTooLarge: Rejected, // nginx's page, but about the email
	http.StatusTooManyRequests:       Limited,
	http.StatusServiceUnavailable:    NotSent,
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
		r.Outcome = forbidden(listedErrors(resp)) // a page of a proxy's is about no email, whatever its words
	}
	return r
}

func outcomeOf(resp *rest.Response) Outcome {
	status := resp.StatusCode
	if o, ok := statuses[status]; ok {
		return o
	}
	switch {
	case status >= 300 && status < 400:
		return Refused // SendGrid redirects nothing: --sendgrid-url leads elsewhere
	case status >= 400 && status < 500 && len(listedErrors(resp)) > 0:
		return Rejected // 451 too: an email for another data region
	case status >= 400 && status < 500:
		return Refused // SendGrid says in JSON what is wrong with an email; this is a proxy's page, or another server's
	}
	// A 5xx, or a 2xx that is not SendGrid's: emails have no sandbox mode, so nothing but 202 says that one is queued.
	return Unknown
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

// limitEnd returns when a rate limit ends, or the zero time if the answer names no time ahead.
func limitEnd(h http.Header, now time.Time) time.Time {
	until := resetTime(h.Get("X-RateLimit-Reset"), now)
	if !until.After(now) {
		until = retryTime(h.Get("Retry-After"), now)
	}
	if !until.After(now) {
		return time.Time{}
	}
	if latest := now.Add(maxLimit); until.After(latest) {
		return latest
	}
	return until
}

const (
	firstReset  = 1_000_000_000     // as unix seconds the year 2001; what is less is seconds from now
	firstMillis = 1_000_000_000_000 // as unix milliseconds the year 2001
)

// resetTime reads SendGrid's own header: unix seconds. Others in its place write milliseconds, or seconds from now.
func resetTime(text string, now time.Time) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n >= firstMillis:
		return time.UnixMilli(n)
	case n >= firstReset:
		return time.Unix(n, 0)
	}
	return now.Add(time.Duration(min(n, int64(maxLimit/time.Second))) * time.Second)
}

// retryTime reads HTTP's header: seconds from now, or a date.
func retryTime(text string, now time.Time) time.Time {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return now.Add(time.Duration(min(max(n, 0), int64(maxLimit/time.Second))) * time.Second)
	}
	if t, err := http.ParseTime(text); err == nil {
		return t
	}
	return time.Time{}
}
