package api

import (
	"bytes"
	"encoding/json"
)

// The functions here cut JSON that is known to be valid into its parts, without copying them: a mail may have 30 MB.

// elements calls each with every element of the array. It stops when each returns false.
func elements(array []byte, each func(value []byte) bool) {
	rest := skipSpace(array[1:])
	for rest[0] != ']' {
		end := valueEnd(rest)
		if !each(rest[:end]) {
			return
		}
		rest = skipComma(rest[end:])
	}
}

// members calls each with every member of the object.
func members(object []byte, each func(name string, value []byte)) {
	quotedMembers(object, func(quoted, value []byte) { each(memberName(quoted), value) })
}

// quotedMembers is members with the names as they are written, so that none is copied.
func quotedMembers(object []byte, each func(quoted, value []byte)) {
	rest := skipSpace(object[1:])
	for rest[0] != '}' {
		end := valueEnd(rest)
		quoted := rest[:end]
		rest = skipSpace(skipSpace(rest[end:])[1:]) // the colon
		end = valueEnd(rest)
		each(quoted, rest[:end])
		rest = skipComma(rest[end:])
	}
}

// longName is longer than any name that is looked for. A member whose name is longer is called by its beginning, so that
// no copy of it is made.
const longName = 256

func memberName(quoted []byte) string {
	if len(quoted) > longName {
		return string(quoted[1:longName])
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	_ = json.Unmarshal(quoted, &name) // valid, as all of it
	return name
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

func skipComma(b []byte) []byte {
	b = skipSpace(b)
	if b[0] == ',' {
		b = skipSpace(b[1:])
	}
	return b
}

// valueEnd returns where the value that b begins with ends.
func valueEnd(b []byte) int {
	switch b[0] {
	case '"':
		return stringEnd(b)
	case '{', '[':
		return nestedEnd(b)
	}
	end := bytes.IndexAny(b, ",]} \t\r\n")
	if end < 0 {
		return len(b)
	}
	return end
}

func stringEnd(b []byte) int {
	for i := 1; ; {
		quote := i + bytes.IndexByte(b[i:], '"')
		escape := bytes.IndexByte(b[i:quote], '\\')
		if escape < 0 {
			return quote + 1
		}
		i += escape + 2 // what is escaped may be the quote
	}
}

func nestedEnd(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}
