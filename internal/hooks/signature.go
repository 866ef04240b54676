package hooks

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// SendGrid's headers of a signed POST.
// Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
const (
	SignatureHeader = "X-Twilio-Email-Event-Webhook-Signature"
	TimestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// verify checks that one of keys signed the timestamp header followed by the body, byte for byte as they came, and
// returns the SHA-256 of the two, which was signed.
func verify(keys []*ecdsa.PublicKey, h http.Header, body []byte) ([]byte, *refusal) {
	encoded, timestamp := h.Get(SignatureHeader), h.Get(TimestampHeader)
	if encoded == "" || timestamp == "" {
		return nil, refuse(http.StatusForbidden, reasonUnsigned)
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, refuse(http.StatusForbidden, reasonSignature)
	}
	hash := sha256.New()
	hash.Write([]byte(timestamp))
	hash.Write(body)
	digest := hash.Sum(nil)
	for _, key := range keys {
		if ecdsa.VerifyASN1(key, digest, signature) {
			return digest, nil
		}
	}
	return nil, refuse(http.StatusForbidden, reasonSignature)
}

// signedAt reads the timestamp header: unix seconds. Zero when it is anything else.
func signedAt(h http.Header) time.Time {
	seconds, err := strconv.ParseInt(h.Get(TimestampHeader), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
