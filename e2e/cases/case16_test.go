package cases

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// Chromium left the tab out of /<TAB>/evil.example, and went to evil.example.
func TestCase16ALoginLeadsToThisSiteOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	password := filepath.Join(r.dir, "password")
	if err := os.WriteFile(password, []byte("correct horse battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	console := process.Start(t, 2, "postmaster", append([]string{"console", "--okq-addr", r.okqd.Addr, "--console-addr", anywhere, "--ops-addr", anywhere,
		"--console-password-file", password}, r.store()...)...)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm("http://"+console.Addrs["console"]+"/login",
		url.Values{"name": {"Kim"}, "password": {"correct horse battery"}, "next": {"/\t/evil.example"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r.came("%d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" {
		t.Errorf("a login for another site: %d to %q, want the first page", resp.StatusCode, resp.Header.Get("Location"))
	}
}
