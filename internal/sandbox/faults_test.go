package sandbox_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

// attempt sends without a second try, so that a reset is seen as such.
func attempt(t *testing.T, s *sandbox.Sandbox, ctx context.Context, to string) (*http.Response, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(sendRequest(t, s, mailTo(to, "x")).WithContext(ctx))
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestFaultsAreAnsweredAsSendGridWould(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule   faults.Rule
		status int
		want   string // in the body
	}{
		{faults.Always(faults.TooMany), 429, `{"errors":[{"message":"too many requests","field":null,"help":null}]}`},
		{faults.Always(faults.ServerError), 500, `"message":"Internal Server Error"`},
		{faults.Always(faults.BadGateway), 502, `"errors"`},
		{faults.Rule{Fault: faults.Unavailable, Probability: 1, HTML: true}, 503, "<center>nginx</center>"},
		{faults.Always(faults.GatewayTime), 504, `"errors"`},
		{faults.Always(faults.WrongKey), 401, "authorization grant"},
		{faults.Always(faults.NoCredits), 401, "Maximum credits exceeded"},
		{faults.Always(faults.Blocked), 403, "temporarily blocked"},
		{faults.Always(faults.WrongSender), 403, "verified Sender Identity"},
		{faults.Always(faults.BadRequest), 400, "personalizations.0.to.0.email"},
		{faults.Always(faults.TooLarge), 413, "<title>413 Request Entity Too Large</title>"},
		{faults.Rule{Fault: faults.Refuse, Probability: 1, Message: "not you"}, 403, `{"errors":[{"message":"not you"`},
		{faults.Rule{Fault: faults.Refuse, Probability: 1, Status: 404, Message: "not here", HTML: true}, 404, "<center><h1>not here</h1></center>"},
		{faults.Rule{Fault: faults.Refuse, Probability: 1, Status: 204}, 204, ""},
		{faults.Rule{Fault: faults.Garbage, Probability: 1, Status: 400}, 400, "\xff\xfe"},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule.Fault), func(t *testing.T) {
			t.Parallel()
			s := sandboxtest.RunT(t)
			if err := s.SetFaults(tt.rule); err != nil {
				t.Fatal(err)
			}
			resp, body := do(t, sendRequest(t, s, mailTo("alex@example.com", "x")))
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %q, want %d with %q", resp.StatusCode, body, tt.status, tt.want)
			}
			if n := s.Counters().Faults[string(tt.rule.Fault)]; n != 1 || s.Accepted("x") != 0 {
				t.Errorf("fault counted %d times and mail accepted %d times, want 1 and 0", n, s.Accepted("x"))
			}
			s.ClearFaults()
			send(t, s, mailTo("alex@example.com", "x"))
		})
	}
}

func TestTooManyRequestsSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	if err := s.SetFaults(faults.Rule{Fault: faults.TooMany, Probability: 1, ResetAfter: faults.Duration(5 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	resp, _ := do(t, sendRequest(t, s, mailTo("alex@example.com", "x")))
	reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || time.Unix(reset, 0).Before(before.Add(5*time.Second)) || time.Unix(reset, 0).After(time.Now().Add(6*time.Second)) {
		t.Errorf("X-RateLimit-Reset %q at %d, want it 5 s ahead", resp.Header.Get("X-RateLimit-Reset"), before.Unix())
	}
	if resp.Header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("headers %v, want nothing remaining", resp.Header)
	}
}

func TestResetsAndHangs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault    faults.Fault
		accepted int
		want     error
	}{
		{faults.Reset, 0, syscall.ECONNRESET},
		{faults.AcceptReset, 1, syscall.ECONNRESET},
		{faults.Hang, 0, context.DeadlineExceeded},
		{faults.AcceptHang, 1, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			s := sandboxtest.RunT(t)
			if err := s.SetFaults(faults.Next(tt.fault, 1)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if tt.want == context.DeadlineExceeded {
				go func() { // give up once the sandbox has the request, however slow the machine is
					for s.Counters().Faults[string(tt.fault)] == 0 && ctx.Err() == nil {
						time.Sleep(time.Millisecond)
					}
					time.Sleep(50 * time.Millisecond)
					cancel(context.DeadlineExceeded)
				}()
			}
			_, err := attempt(t, s, ctx, "alex@example.com")
			if !errors.Is(err, tt.want) && context.Cause(ctx) != tt.want {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if err == nil {
				t.Error("got an answer, want none")
			}
			if got := s.Accepted("x"); got != tt.accepted {
				t.Errorf("accepted %d times, want %d", got, tt.accepted)
			}
			send(t, s, mailTo("alex@example.com", "y")) // the rule was for one request
		})
	}
}

func TestAMailCanBeAcceptedAndAnsweredWithAnError(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	if err := s.SetFaults(faults.Next(faults.AcceptError, 1), faults.Next(faults.AcceptGateway, 1)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{500, 504, 202} {
		if resp, _ := do(t, sendRequest(t, s, mailTo("alex@example.com", "x"))); resp.StatusCode != want || s.Accepted("x") != i+1 {
			t.Errorf("got %d and %d acceptances, want %d and %d", resp.StatusCode, s.Accepted("x"), want, i+1)
		}
	}
}

func TestLatencyDelaysTheAnswerOnly(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	const delay = 80 * time.Millisecond
	if err := s.SetFaults(faults.Rule{Fault: faults.Latency, Probability: 1, Delay: faults.Duration(delay)}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	send(t, s, mailTo("alex@example.com", "x"))
	if took := time.Since(start); took < delay {
		t.Errorf("answered after %v, want at least %v", took, delay)
	}
}

func TestRecipientsGetTheirRequestIntoTrouble(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	for to, want := range map[string]int{
		"limit429@example.com": 429, "fail500+9@example.com": 500, "FAIL503@example.com": 503, "reject400@example.com": 400,
		"credits401@example.com": 401, "reject403@example.com": 403, "reject413@example.com": 413, "accept500@example.com": 500,
		"failure@example.com": 202,
	} {
		if resp, body := do(t, sendRequest(t, s, mailTo(to, to))); resp.StatusCode != want {
			t.Errorf("%s: got %d %s, want %d", to, resp.StatusCode, body, want)
		}
	}
	for _, to := range []string{"reset@example.com", "acceptreset@example.com"} {
		if _, err := attempt(t, s, t.Context(), to); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want a reset", to, err)
		}
	}
	for i, want := range []int{503, 503, 202, 202} {
		if resp, _ := do(t, sendRequest(t, s, mailTo("fail503+x2@example.com", "x2"))); resp.StatusCode != want {
			t.Errorf("request %d: got %d, want %d", i+1, resp.StatusCode, want)
		}
	}
}

func TestStoppingEndsRequestsThatHang(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)                                   // its cleanup waits for Run
	go attempt(t, s, context.Background(), "hang@example.com") //nolint:errcheck // it must only be under way
	eventually(t, "the request hangs", func() bool { return s.Counters().Faults["hang"] == 1 })
}
