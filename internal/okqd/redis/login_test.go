package redis_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/okqd/redis"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// certificate makes one that is its own authority, for servers on loopback and for clients.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func withConfig(c redis.Config) okqdtest.Option {
	return func(cfg *okqd.Config) {
		c.Partitions = 1
		cfg.Redis = c
	}
}

// Redis serves TLS only to clients with a certificate, and has okqd as a user with the rights that the docs name.
func TestRedisOverTLSAsAUser(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	tlsAddr := testenv.FreeAddr(t)
	r := testenv.StartRedis(t, "--tls-port", tlsAddr[strings.LastIndex(tlsAddr, ":")+1:], "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "yes")
	r.CLI(rights()...)
	r.CLI("ACL", "SETUSER", "default", "-eval", "-evalsha")
	for name, cfg := range map[string]redis.Config{
		"flags": {Addr: tlsAddr, Username: "okqd", Password: "hunter2", DB: 5, TLSCA: cert, TLSCert: cert, TLSKey: key},
		"URL":   {Addr: "rediss://okqd:hunter2@" + tlsAddr + "/5", TLSCA: cert, TLSCert: cert, TLSKey: key},
	} {
		c := dial(t, okqdtest.RunT(t, withConfig(cfg)).Addr)
		want(t, c, "OK", "QREGISTER q")
		want(t, c, "OK", "QLPUSH q id "+name)
		want(t, c, "q", "QNOTIFY 5")
		if got := strings.TrimSpace(r.CLI("-n", "5", "HGET", "okq:{q:q}:contents", "id")); got != name {
			t.Errorf("%s: database 5 has %q", name, got)
		}
		if clients := r.CLI("CLIENT", "LIST"); !strings.Contains(clients, "user=okqd") {
			t.Errorf("%s: connected as somebody else: %s", name, clients)
		}
		want(t, c, "[[id "+name+" 1]]", "QRPOP q EX 60 COUNT 9")
		want(t, c, "1", "QACK q id")
	}
	for name, cfg := range map[string]redis.Config{
		"without the authority": {Addr: tlsAddr, Username: "okqd", Password: "hunter2", TLS: true, TLSCert: cert, TLSKey: key},
		"without a certificate": {Addr: tlsAddr, Username: "okqd", Password: "hunter2", TLSCA: cert},
		"with a wrong password": {Addr: tlsAddr, Username: "okqd", Password: "hunter3", TLSCA: cert, TLSCert: cert, TLSKey: key},
		"without TLS":           {Addr: tlsAddr, Username: "okqd", Password: "hunter2"},
	} {
		var log bytes.Buffer
		_, err := serve(t, zerolog.New(zerolog.SyncWriter(&log)), withConfig(cfg))
		if err == nil || !strings.Contains(err.Error(), "--redis-addr") || strings.Contains(err.Error()+log.String(), cfg.Password) {
			t.Errorf("%s: %v\n%s", name, err, &log)
		}
	}
}

// rights are what docs/okq.md gives okqd in Redis.
func rights(more ...string) []string {
	return append([]string{
		"ACL", "SETUSER", "okqd", "on", ">hunter2", "~okq:*", "&okq:*", "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection",
		"+time", "+info", "+wait", "+config|get",
	}, more...)
}

func TestClusterAsAUserWithTheRightsOfTheDocs(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 0)
	for _, node := range nodes {
		node.CLI(rights("+cluster")...)
		node.CLI("ACL", "SETUSER", "default", "-eval", "-evalsha")
	}
	asUser := func(c *okqd.Config) { c.Redis.Username, c.Redis.Password = "okqd", "hunter2" }
	c := dial(t, okqdtest.RunT(t, onCluster(nodes, 4), asUser).Addr)
	for _, id := range []string{"a", "b", "c", "d"} {
		want(t, c, "OK", "QLPUSH q "+id+" x")
		want(t, c, "1", "QMOVE q "+id+" other "+id)
	}
	if got := do(t, c, "QSTATUS other"); !strings.HasPrefix(got, "[[other 4 0 0 0 ") {
		t.Errorf("QSTATUS: %s", got)
	}
}

// Sentinels have passwords of their own.
func TestSentinelsWithAPasswordOfTheirOwn(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	sentinel := testenv.StartSentinels(t, 1, "okq", master)[0]
	master.CLI("ACL", "SETUSER", "okqd", "on", ">hunter2", "allkeys", "allchannels", "+@all")
	admin := dial(t, sentinel)
	want(t, admin, "OK", "ACL SETUSER watcher on >hunter4 allchannels +@all")
	want(t, admin, "OK", "ACL SETUSER default off")
	cfg := redis.Config{
		SentinelAddr: sentinel, SentinelGroup: "okq", Username: "okqd", Password: "hunter2", SentinelUsername: "watcher", SentinelPassword: "hunter4",
	}
	c := dial(t, okqdtest.RunT(t, withConfig(cfg)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	if clients := master.CLI("CLIENT", "LIST"); !strings.Contains(clients, "user=okqd") {
		t.Errorf("connected as somebody else: %s", clients)
	}
	for _, password := range []string{"", "hunter5"} {
		cfg.SentinelPassword = password
		if password == "" {
			cfg.SentinelUsername = ""
		} else {
			cfg.SentinelUsername = "watcher"
		}
		_, err := serve(t, zerolog.Nop(), withConfig(cfg))
		if err == nil || !strings.Contains(err.Error(), "--redis-sentinel-addr") || strings.Contains(fmt.Sprint(err), "hunter") {
			t.Errorf("with password %q: %v", password, err)
		}
	}
}
