package sandbox

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

const (
	maxShown  = 200_000 // bytes of one text on a page
	maxString = 2_000   // bytes of one string of shown JSON: attachments are long
)

// cut shortens s to about limit bytes, at the border of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "… (" + strconv.Itoa(len(s)) + " bytes)"
}

// prettyJSON indents valid JSON for reading, its long strings cut. The order
// of the fields stays, which is why it is not decoded.
func prettyJSON(text []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, shortStrings(text), "", "  ") != nil {
		return string(text)
	}
	return cut(out.String(), maxShown)
}

func shortStrings(text []byte) []byte {
	short := make([]byte, 0, min(len(text), maxShown))
	for i := 0; i < len(text); {
		if text[i] != '"' {
			short = append(short, text[i])
			i++
			continue
		}
		end := stringEnd(text, i)
		short = appendShort(short, text[i:end])
		i = end
	}
	return short
}

// stringEnd is just behind the string that begins at start.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func appendShort(short, quoted []byte) []byte {
	if len(quoted) <= maxString {
		return append(short, quoted...)
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return append(short, quoted...)
	}
	return appendString(short, cut(s, maxString/2))
}
