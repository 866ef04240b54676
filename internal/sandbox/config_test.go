package sandbox_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

func TestValidateNamesEveryFlagAtFault(t *testing.T) {
	t.Parallel()
	var cfg sandbox.Config
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	cfg.AddFlags(fs)
	if err := cfg.Validate(); err != nil {
		t.Fatalf("defaults: %v", err)
	}
	faults := map[string]string{
		"--webhook-url": "ftp://x:hunter2@y", "--delay-processed": "-1s", "--delay-delivered": "-1s", "--delay-open": "-1s", "--keep": "-1",
		"--keep-bytes": "-1", "--webhook-concurrency": "-1", "--webhook-retry-min": "-1s", "--webhook-retry-max": "-2s", "--event-buffer": "-1", "--event-copies": "101",
	}
	for flag, value := range faults {
		if err := fs.Set(strings.TrimPrefix(flag, "--"), value); err != nil {
			t.Fatal(err)
		}
	}
	err := cfg.Validate()
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("error %v, want one without the password", err)
	}
	for flag := range faults {
		if !strings.Contains(err.Error(), flag+" ") && !strings.Contains(err.Error(), flag+":") {
			t.Errorf("error does not name %s:\n%v", flag, err)
		}
	}
}

func TestSigningKeyStaysTheSameInItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	open := func() *sandbox.Sandbox {
		s, err := sandbox.New(sandbox.Config{PrivateKeyFile: path}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if a, b := open().PublicKey(), open().PublicKey(); a != b || a == "" {
		t.Errorf("public keys %q and %q, want the same", a, b)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file %v %v, want mode 0600", info, err)
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Config{PrivateKeyFile: path}, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "--private-key-file") {
		t.Errorf("error %v, want one that names --private-key-file", err)
	}
}

func TestABusyPortIsAnErrorOfListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := sandbox.New(sandbox.Config{ListenAddr: l.Addr().String()}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--listen-addr") {
		t.Errorf("error %v, want one that names --listen-addr", err)
	}
}
