package cmdutil

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// ClientTLS returns how a client speaks TLS to a server: with the certificate authorities of the file ca, or else those
// that this machine trusts, and with the certificate of the files cert and key if the server asks for one. The latter are
// read for each connection, so that they can be renewed. Errors name the flags, which are those of prefix: PREFIX-ca.
func ClientTLS(prefix, ca, cert, key string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("%s-ca: %w", prefix, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s-ca: no certificate in that file", prefix)
		}
	}
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("%s-cert and %s-key go together", prefix, prefix)
	}
	if cert != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return nil, fmt.Errorf("%s-cert, %s-key: %w", prefix, prefix, err)
			}
			return &pair, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return cfg, nil
}
