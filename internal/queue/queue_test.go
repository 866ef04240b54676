package queue

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// parse reads flags as a process does.
func parse(t *testing.T, args ...string) *Config {
	t.Helper()
	var c Config
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestWrongValuesNameTheirFlag(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--okq-addr", "nowhere"}, {"--okq-addr", "a:1,,b:1"}, {"--okq-pool-size", "0"},
		{"--okq-tls-ca", "/no/such/file"}, {"--okq-tls-ca", empty},
	} {
		if err := parse(t, args...).Validate(); err == nil || !strings.Contains(err.Error(), args[0]+":") && !strings.Contains(err.Error(), args[0]+" ") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := parse(t).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

func TestOkqdIsReachedByTLSOnlyWithACertificateThatIsTrusted(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	addr := okqdtest.RunT(t, okqdtest.WithTLS(cert, key)).Addr
	for _, test := range []struct {
		args []string
		ok   bool
	}{{[]string{"--okq-tls-ca", cert}, true}, {[]string{"--okq-tls"}, false}, {nil, false}} {
		client, err := parse(t, append(test.args, "--okq-addr", addr)...).Client(zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()); (err == nil) != test.ok {
			t.Errorf("ping with %v: %v", test.args, err)
		}
		client.Close()
	}
}

// certificate writes a certificate for 127.0.0.1 and its key into files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	pair := web.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", der)
}
