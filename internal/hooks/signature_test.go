package hooks_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/hooks"
)

func TestSendGridsOwnVector(t *testing.T) {
	t.Parallel()
	var v struct {
		Payload, Signature, Timestamp string
		PublicKey                     string `json:"public_key"`
	}
	if err := json.Unmarshal(read(t, "eventwebhook-vector.json"), &v); err != nil {
		t.Fatal(err)
	}
	cfg := defaults(t)
	cfg.PublicKeys = []string{v.PublicKey}
	in := run(t, cfg)
	headers := signed(v.Signature, v.Timestamp)
	if got := in.post(t, []byte(v.Payload), headers); got != 200 {
		t.Errorf("the vector: %d, want 200", got)
	}
	if got := in.post(t, []byte(strings.TrimSpace(v.Payload)), headers); got != 403 {
		t.Errorf("without the line break at its end: %d, want 403", got)
	}
}

func TestEachByteOfASignedBodyCounts(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	cfg := defaults(t)
	cfg.PublicKeys = []string{newSigner(t).public(t), s.public(t)}
	in := run(t, cfg)
	body := read(t, "sendgrid-events.wire")
	headers := s.sign(t, body, time.Now())
	if got := in.post(t, body, headers); got != 200 {
		t.Fatalf("the wire file, signed with the second key: %d", got)
	}
	kept := len(in.queued(t))
	if kept == 0 {
		t.Fatal("nothing queued")
	}
	for i := range body {
		body[i] ^= 1
		if got := in.post(t, body, headers); got != 403 {
			t.Errorf("byte %d changed: %d", i, got)
		}
		body[i] ^= 1
	}
	for _, other := range [][]byte{body[:len(body)-1], append(bytes.Clone(body), '\n'), nil} {
		if got := in.post(t, other, headers); got != 403 {
			t.Errorf("%d bytes instead of %d: %d", len(other), len(body), got)
		}
	}
	later := headers.Clone()
	later.Set(hooks.TimestampHeader, headers.Get(hooks.TimestampHeader)+"0")
	if got := in.post(t, body, later); got != 403 {
		t.Errorf("another timestamp: %d", got)
	}
	if n := len(in.queued(t)); n != 0 {
		t.Errorf("%d events of refused POSTs are queued", n)
	}
}

func TestASignatureOutsideTheWindowIsRefused(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	cfg := defaults(t)
	cfg.PublicKeys, cfg.Window = []string{s.public(t)}, 25*time.Hour
	in := run(t, cfg)
	for age, want := range map[time.Duration]int{0: 200, 24 * time.Hour: 200, -time.Hour: 200, 26 * time.Hour: 403} {
		if got := in.post(t, []byte("[]"), s.sign(t, []byte("[]"), time.Now().Add(-age))); got != want {
			t.Errorf("signed %v ago: %d, want %d", age, got, want)
		}
	}
	if n := in.metric(t, "pm_hooks_posts_total", "window", "403"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

func TestKeysOfAFileChangeWithoutARestart(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t), newSigner(t)
	path := filepath.Join(t.TempDir(), "keys")
	write := func(content string) {
		t.Helper()
		tmp := path + ".new"
		if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, path); err != nil {
			t.Fatal(err)
		}
	}
	write("# the first\n" + first.public(t) + "\n")
	cfg := defaults(t)
	cfg.PublicKeyFile = path
	in := run(t, cfg)
	status := func(s signer) int { return in.post(t, []byte("[]"), s.sign(t, []byte("[]"), time.Now())) }
	until := func(what string, done func() bool) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for !done() {
			if time.Now().After(deadline) {
				t.Fatalf("%s: never", what)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	faults := func() float64 {
		status(second) // the file is looked at when a POST comes
		return in.metric(t, "pm_hooks_key_file_faults_total")
	}
	if status(first) != 200 || status(second) != 403 {
		t.Fatal("the file's key does not count, or another does")
	}
	write(first.public(t) + "\r\n\r\n" + second.public(t))
	until("the new key counts", func() bool { return status(second) == 200 })
	if status(first) != 200 {
		t.Error("the old key was lost while both are listed")
	}
	write(second.public(t))
	until("the old key counts no more", func() bool { return status(first) == 403 })
	write("garbage")
	until("a faulty file is seen", func() bool { return faults() > 0 })
	if status(second) != 200 || status(first) != 403 {
		t.Error("a faulty file changed the keys")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	before := faults()
	until("a file that is gone is seen", func() bool { return faults() > before })
	if status(second) != 200 || in.post(t, []byte("[]")) != 403 {
		t.Error("without the file the door is open, or shut for good")
	}
}

func TestKeysThatAreNoneAreNamedByTheirFlag(t *testing.T) {
	t.Parallel()
	der := func(key any) string {
		b, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := newSigner(t).public(t)
	for name, key := range map[string]string{
		"not base64": "%%%", "not DER": "aGVsbG8=", "empty": "", "not ECDSA": der(ed),
		"cut off": good[:len(good)-8], "DER and more": base64.StdEncoding.EncodeToString(make([]byte, 300)),
	} {
		cfg := defaults(t)
		cfg.PublicKeys = []string{good, key}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--webhook-public-key: ") {
			t.Errorf("%s: %v", name, err)
		}
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg = defaults(t)
		cfg.PublicKeyFile = path
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--webhook-public-key-file: ") {
			t.Errorf("%s, in a file: %v", name, err)
		}
	}
}

func TestAPasswordNeedsNoKeyAndAKeyNoPassword(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.Pass = "secret"
	in := run(t, cfg)
	for pass, want := range map[string]int{"secret": 200, "secret2": 401, "": 401} {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("", pass)
		if got := in.post(t, []byte("[]"), r.Header); got != want {
			t.Errorf("password %q: %d, want %d", pass, got, want)
		}
	}
	if got := in.post(t, []byte("[]"), http.Header{"Authorization": {"Bearer secret"}}); got != 401 {
		t.Errorf("a bearer token: %d", got)
	}
}
