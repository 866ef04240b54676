package hooks_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestAWebPagePostsNoEvents(t *testing.T) {
	t.Parallel()
	in := run(t, defaults(t))
	for name, headers := range map[string]http.Header{
		"of another origin":     {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"with an origin alone":  {"Origin": {"https://evil.example"}},
		"of our origin":         {"Sec-Fetch-Site": {"same-origin"}, "Origin": {in.url}},
		"of a host it rebound":  {"Host": {"evil.example"}},
		"without a credential…": {"Sec-Fetch-Dest": {"empty"}},
	} {
		if got := postFrom(t, in, headers); got != 403 {
			t.Errorf("%s: %d, want 403", name, got)
		}
	}
	if n := in.metric(t, "pm_hooks_posts_total", "browser", "403"); n != 5 {
		t.Errorf("%v counted", n)
	}
	if got := postFrom(t, in, http.Header{"Host": {"localhost:8993"}}); got != 200 {
		t.Errorf("by localhost: %d", got)
	}
	cfg := defaults(t)
	cfg.AllowHosts = []string{"hooks.example"}
	if got := postFrom(t, run(t, cfg), http.Header{"Host": {"hooks.example"}}); got != 200 {
		t.Errorf("by a host of --allow-host: %d", got)
	}
	cfg = defaults(t)
	cfg.Pass = "secret"
	if got := postFrom(t, run(t, cfg), http.Header{"Host": {"hooks.example"}, "Authorization": {"Basic c2VuZGdyaWQ6c2VjcmV0"}}); got != 200 {
		t.Errorf("by any host with a password: %d", got)
	}
}

// postFrom posts a batch of no events. Host among headers is the request's.
func postFrom(t *testing.T, in *instance, headers http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, in.url+"/", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range headers {
		req.Header[name] = values
	}
	req.Host = headers.Get("Host")
	return do(t, req)
}
