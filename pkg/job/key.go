package job

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Key returns the name of an address's mailbox, the same for every spelling: lower case, Unicode's form NFC, and the
// domain as IDNA (UTS 46) writes it in ASCII. Wherever two addresses are compared, their keys are:
//
//	Kunde@Bücher.example, kunde@xn--bcher-kva.example  ->  kunde@xn--bcher-kva.example
//
// A domain that IDNA cannot convert stays in lower case. A key is its own key.
func Key(address string) string {
	lower := strings.ToLower(address)
	if isASCII(lower) {
		return lower // also of an A-label (xn--…), which is what IDNA would make of it
	}
	lower = norm.NFC.String(lower)
	at := strings.LastIndexByte(lower, '@') + 1
	domain, err := domains.ToASCII(lower[at:])
	if err != nil || !isASCII(domain) {
		return lower
	}
	return lower[:at] + strings.ToLower(domain)
}

// domains converts as UTS 46 says for lookups, and takes what DNS would not: an address here need not have a server.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// Spellings returns the ways of writing address under which something may be stored: its key first, then with its domain
// in Unicode, in lower case, and as given. Nearly every address has one or two.
func Spellings(address string) []string {
	lower := strings.ToLower(address)
	if lower == address && isASCII(address) && !strings.Contains(address, "xn--") {
		return []string{address}
	}
	key := Key(lower)
	all := []string{key}
	add := func(spelling string) {
		for _, s := range all {
			if s == spelling {
				return
			}
		}
		all = append(all, spelling)
	}
	if strings.Contains(key, "xn--") {
		at := strings.LastIndexByte(key, '@') + 1
		domain, _ := domains.ToUnicode(key[at:])
		if unicode := key[:at] + domain; Key(unicode) == key {
			add(unicode)
		}
	}
	add(lower)
	add(address)
	return all
}
