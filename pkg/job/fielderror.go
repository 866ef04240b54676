package job

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A FieldError says which field of an Email is wrong, and how.
type FieldError struct {
	Field  string // as in JSON: "to", "cc[1].email", "uniqueArgs.order"
	Reason string // "is required"
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

func fault(field, reason string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(reason, args...)}
}

// nth and member name parts of a field. The length of a member is bounded, since its name comes from the caller.
func nth(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func member(field, key string) string {
	const shown = 64
	if len(key) > shown {
		end := shown
		for end > 0 && !utf8.RuneStart(key[end]) {
			end--
		}
		key = key[:end] + "…"
	}
	return field + "." + key
}
