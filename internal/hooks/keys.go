package hooks

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// keyring holds the keys that signatures may be made with. SendGrid does not say which one it used, so all are tried;
// while keys change there are two.
type keyring struct {
	fixed []*ecdsa.PublicKey
	path  string // of the key file, or empty
	fault prometheus.Counter
	log   zerolog.Logger

	mu      sync.Mutex // protects the fields below
	file    []*ecdsa.PublicKey
	content []byte // what file was read from
	looked  time.Time
}

// keyFileEvery is how often the key file is looked at, at most: a new key counts at most this long after it was written.
const keyFileEvery = time.Second

// maxKeyFile bounds what is read of a key file: some hundred keys.
const maxKeyFile = 64 << 10

func newKeyring(cfg Config, fault prometheus.Counter, log zerolog.Logger) (*keyring, error) {
	k := &keyring{path: cfg.PublicKeyFile, fault: fault, log: log}
	for _, s := range cfg.PublicKeys {
		key, err := parseKey(s)
		if err != nil {
			return nil, fmt.Errorf("--webhook-public-key: %w", err)
		}
		k.fixed = append(k.fixed, key)
	}
	if k.path == "" {
		return k, nil
	}
	content, err := os.ReadFile(k.path)
	if err == nil {
		k.file, err = parseKeys(content)
	}
	if err != nil {
		return nil, fmt.Errorf("--webhook-public-key-file: %w", err)
	}
	k.content, k.looked = content, time.Now()
	return k, nil
}

// required tells whether POSTs have to be signed. That never changes while the process runs: a key file that loses
// its keys does not open the door.
func (k *keyring) required() bool { return k.path != "" || len(k.fixed) > 0 }

// keys returns the keys that count now. A key file that cannot be read leaves the keys it had.
func (k *keyring) keys(now time.Time) []*ecdsa.PublicKey {
	if k.path == "" {
		return k.fixed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.looked) >= keyFileEvery {
		k.looked = now
		k.rereadLocked()
	}
	return append(k.fixed[:len(k.fixed):len(k.fixed)], k.file...)
}

func (k *keyring) rereadLocked() {
	content, err := os.ReadFile(k.path)
	if err == nil && bytes.Equal(content, k.content) {
		return
	}
	var keys []*ecdsa.PublicKey
	if err == nil {
		k.content = content // also when it is faulty: once is enough to say so
		keys, err = parseKeys(content)
	}
	if err != nil {
		k.fault.Inc()
		k.log.Error().Err(err).Msg("public key file unusable, keeping the keys of before")
		return
	}
	k.file = keys
	k.log.Info().Int("keys", len(keys)).Msg("public key file read again")
}

func readKeyFile(path string) ([]*ecdsa.PublicKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseKeys(content)
}

// parseKeys reads one key a line. Empty lines and those that begin with # say nothing.
func parseKeys(content []byte) ([]*ecdsa.PublicKey, error) {
	if len(content) > maxKeyFile {
		return nil, fmt.Errorf("larger than %d bytes", maxKeyFile)
	}
	var keys []*ecdsa.PublicKey
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in it")
	}
	return keys, nil
}

// parseKey reads a key as SendGrid shows it: base64 of a DER SubjectPublicKeyInfo, without PEM's armour.
func parseKey(s string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("not a public key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a %T, not a key for ECDSA as SendGrid's are", parsed)
	}
	return key, nil
}
