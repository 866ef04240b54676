package job

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// A Fold is the value of ArgFold: what pm-worker needs to fold an email's webhook events without its record. It comes back
// on each of them.
//
//	1.4.N6DiilnB
//	│ │ └─ for each recipient (to, cc, bcc, in this order) four characters of base64url: a hash of the address
//	│ └─── the email's flags, decimal
//	└───── the version
//
// The hash is the first 3 bytes of SHA-256 over "pmFold1", a zero byte, the email's ID, a zero byte, and Key(address). It
// holds no address, differs from email to email, and takes 4,000 bytes for 1,000 recipients. That another address has
// the hash of a given recipient happens once in 17 million. Nobody can rely on it who did not get it signed by SendGrid.
type Fold struct {
	Flags int64

	id     ID
	hashes string
}

const (
	foldVersion = "1"
	foldHash    = 4 // characters of a recipient's hash
)

// Fold returns the value of ArgFold for the email, to those who are its recipients now.
func (e *Email) Fold() string {
	b := make([]byte, 0, e.foldLen())
	b = append(b, foldVersion+"."...)
	b = strconv.AppendInt(b, e.Flags, 10)
	b = append(b, '.')
	b = appendHash(b, e.ID, e.To)
	for _, list := range [][]Address{e.CC, e.BCC} {
		for _, a := range list {
			b = appendHash(b, e.ID, a.Email)
		}
	}
	return string(b)
}

// foldLen is the most that Fold takes.
func (e *Email) foldLen() int {
	const flags = len("-9223372036854775808")
	return len(foldVersion+"..") + flags + foldHash*(1+len(e.CC)+len(e.BCC))
}

func appendHash(b []byte, id ID, address string) []byte {
	sum := sha256.Sum256([]byte("pmFold1\x00" + string(id) + "\x00" + Key(address)))
	return base64.RawURLEncoding.AppendEncode(b, sum[:foldHash*3/4])
}

// ParseFold reads the value of ArgFold of the email id. It reports false for a value that is missing, damaged or of
// another version.
func ParseFold(id ID, value string) (Fold, bool) {
	version, rest, _ := strings.Cut(value, ".")
	flags, hashes, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(flags, 10, 64)
	if version != foldVersion || err != nil || len(hashes) < foldHash || len(hashes)%foldHash != 0 {
		return Fold{}, false
	}
	return Fold{Flags: n, id: id, hashes: hashes}, true
}

// IsTo reports whether address is the email's first recipient, whom its record is about.
func (f Fold) IsTo(address string) bool { return f.index(address) == 0 }

// Has reports whether address is one of the email's recipients.
func (f Fold) Has(address string) bool { return f.index(address) >= 0 }

func (f Fold) index(address string) int {
	hash := string(appendHash(nil, f.id, address))
	for i := 0; i < len(f.hashes); i += foldHash {
		if f.hashes[i:i+foldHash] == hash {
			return i / foldHash
		}
	}
	return -1
}
