package unsubscribe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Request is what a link asks for: opt address out of the kinds of mail in Flags.
type Request struct {
	Address string
	Flags   int64
}

// ErrToken is a token that none of the secrets sealed, or no token at all.
var ErrToken = errors.New("not an unsubscribe token of ours")

// The bytes of a token, before base64url: the version, the flags as a varint, the address, the seal.
const (
	version  = 1
	sealSize = 16 // of HMAC-SHA256's 32: 128 bits are far more than anyone can guess over a network

	maxAddress = 320
	maxToken   = 512 // in base64url; anything longer is not looked at
)

// purpose keeps the seal from meaning anything elsewhere, should the secret be used for more.
const purpose = "postmaster unsubscribe\x00"

// Links makes and opens the links of a Config.
type Links struct {
	url     url.URL
	secrets [][]byte
}

// New returns nil for a Config that asks for no links, or that Validate finds wrong.
func New(cfg Config) *Links {
	u, err := cfg.parse()
	if err != nil || cfg.Validate() != nil {
		return nil
	}
	l := &Links{url: *u}
	for _, s := range cfg.Secrets {
		l.secrets = append(l.secrets, []byte(s))
	}
	return l
}

// Path is where pm-hooks answers.
func (l *Links) Path() string { return l.url.Path }

// URL returns the link for a request.
func (l *Links) URL(r Request) string {
	u := l.url
	u.RawQuery = QueryToken + "=" + l.token(r)
	return u.String()
}

// QueryToken is the query parameter that carries the token.
const QueryToken = "t"

func (l *Links) token(r Request) string {
	payload := binary.AppendVarint([]byte{version}, r.Flags)
	payload = append(payload, r.Address...)
	return base64.RawURLEncoding.EncodeToString(append(payload, seal(l.secrets[0], payload)...))
}

// Open returns what a token asks for, if one of the secrets sealed it.
func (l *Links) Open(token string) (Request, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which the decoder would skip
		return Request{}, ErrToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < sealSize {
		return Request{}, ErrToken
	}
	payload, sealed := b[:len(b)-sealSize], b[len(b)-sealSize:]
	for _, secret := range l.secrets {
		if hmac.Equal(sealed, seal(secret, payload)) {
			return parse(payload)
		}
	}
	return Request{}, ErrToken
}

// parse reads a payload whose seal is good.
func parse(payload []byte) (Request, error) {
	if len(payload) == 0 || payload[0] != version {
		return Request{}, fmt.Errorf("%w: of another version", ErrToken)
	}
	flags, n := binary.Varint(payload[1:])
	address := payload[1+max(n, 0):]
	if n <= 0 || len(address) == 0 || len(address) > maxAddress {
		return Request{}, ErrToken
	}
	return Request{Address: string(address), Flags: flags}, nil
}

func seal(secret, payload []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	mac.Write(payload)
	return mac.Sum(nil)[:sealSize]
}
