package cases

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const sendMail = `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"victim@example.com","from":"shop@example.org","subject":"S","text":"T"}}`

// A page of another origin cannot make a browser call pm-api, nor can one whose host name leads to this machine.
func TestCase11APageCannotSendEmail(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	page := map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty", "Origin": "https://evil.example"}
	for _, c := range []struct {
		name   string
		header map[string]string
		host   string
		status int
	}{
		{"a page, by no-cors without a content type", page, "", http.StatusForbidden},
		{"a page in an old browser", map[string]string{"Origin": "https://evil.example"}, "", http.StatusForbidden},
		{"a page of a rebound name", nil, "evil.example:8992", http.StatusForbidden},
		{"a page of our own origin", map[string]string{"Origin": "http://" + r.api.Addr, "Sec-Fetch-Site": "same-origin"}, "", http.StatusForbidden},
		{"a program", nil, "", http.StatusOK},
	} {
		status, body := request(t, http.MethodPost, "http://"+r.api.Addr+"/", sendMail, c.host, c.header)
		r.came("%s: %d %s", c.name, status, strings.TrimSpace(body))
		if status != c.status {
			t.Errorf("%s: %d, want %d", c.name, status, c.status)
		}
	}
	for _, p := range []string{r.api.Ops, r.okqd.Ops} {
		if status, _ := request(t, http.MethodGet, "http://"+p+"/metrics", "", "evil.example", nil); status != http.StatusForbidden {
			t.Errorf("/metrics by a rebound name: %d, want 403", status)
		}
	}
	url := r.sendgrid.URL() + "/api/webhook"
	if status, _ := request(t, http.MethodPut, url, `{"url":"http://127.0.0.1:22/"}`, "evil.example", nil); status != http.StatusForbidden {
		t.Errorf("PUT /api/webhook by a rebound name: %d, want 403", status)
	}
}

// A name that the operator gave may be called.
func TestCase11AllowHostNamesAHost(t *testing.T) {
	r := newRig(t)
	r.startAPI("--allow-host", "mail.internal, pm.internal")
	for host, want := range map[string]int{"mail.internal": http.StatusOK, "PM.internal:8992": http.StatusOK, "other.internal": http.StatusForbidden} {
		if status, body := request(t, http.MethodPost, "http://"+r.api.Addr+"/", sendMail, host, nil); status != want {
			t.Errorf("as %s: %d %s, want %d", host, status, body, want)
		}
	}
}

// request makes one request without a content type.
func request(t *testing.T, method, url, body, host string, header map[string]string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
