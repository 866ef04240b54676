package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/levenlabs/postmaster/bench/internal/ceiling"
)

const (
	signatureHeader = "X-Twilio-Email-Event-Webhook-Signature"
	timestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// serveYardstick does what no receiver of signed webhooks can do without: it reads the POST and checks the signature.
// It prints where it listens the way our programs log it. With okqd it pushes the body there before it answers: no
// pm-hooks can do less than that.
func serveYardstick(publicKey, okqd string) error {
	push, err := ceiling.To(okqd)
	if err != nil {
		return err
	}
	der, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("not an ECDSA key")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		signature, err := base64.StdEncoding.DecodeString(r.Header.Get(signatureHeader))
		h := sha256.New()
		io.WriteString(h, r.Header.Get(timestampHeader))
		h.Write(body)
		if err != nil || !ecdsa.VerifyASN1(key, h.Sum(nil), signature) {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		if err := push(r.Context(), body); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
}
