package listen

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// lookEvery is how often a certificate's files are looked at, at most.
const lookEvery = time.Second

// TLS returns the configuration of a server whose certificate and key are in these files. It reads them again when they
// have changed. While the new ones do not fit each other the old ones stay in use, and the log says so.
func TLS(certFile, keyFile string, log zerolog.Logger) (*tls.Config, error) {
	k := &keeper{certFile: certFile, keyFile: keyFile, log: log}
	if err := k.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: k.get}, nil
}

// keeper keeps a certificate as it is in its files.
type keeper struct {
	certFile, keyFile string
	log               zerolog.Logger

	mu     sync.Mutex // protects the fields below
	cert   *tls.Certificate
	state  [2]fileState // when they were read last, well or not
	looked time.Time
}

type fileState struct {
	modified time.Time
	size     int64
}

func (k *keeper) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.looked) >= lookEvery {
		k.lookLocked()
	}
	return k.cert, nil
}

func (k *keeper) lookLocked() {
	k.looked = time.Now()
	state, err := k.stat()
	if err == nil && state == k.state {
		return
	}
	if err == nil {
		err = k.load()
	}
	if err != nil {
		k.state = state // so that it is said once
		k.log.Error().Err(err).Msg("tls certificate not read again")
		return
	}
	k.log.Info().Msg("tls certificate read again")
}

func (k *keeper) load() error {
	state, err := k.stat()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert: %w", err)
	}
	k.cert, k.state, k.looked = &cert, state, time.Now()
	return nil
}

func (k *keeper) stat() (state [2]fileState, err error) {
	for i, file := range []struct{ flag, name string }{{"--tls-cert", k.certFile}, {"--tls-key", k.keyFile}} {
		info, err := os.Stat(file.name)
		if err != nil {
			return state, fmt.Errorf("%s: %w", file.flag, err)
		}
		state[i] = fileState{info.ModTime(), info.Size()}
	}
	return state, nil
}
