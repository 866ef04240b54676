package api

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	json "github.com/go-json-experiment/json/v1"

	"github.com/levenlabs/postmaster/pkg/job"
)

// object returns the one object that is in params: itself, or the element of an array of one, as postmaster 0.4.0's
// callers send it.
func object(params []byte) ([]byte, error) {
	if len(params) == 0 {
		return []byte("{}"), nil // so that the first field that is missing is named
	}
	if params[0] == '{' {
		return params, nil
	}
	var (
		first []byte
		n     int
	)
	elements(params, func(value []byte) bool {
		first = value
		n++
		return n < 2
	})
	if n != 1 || first[0] != '{' {
		return nil, &job.FieldError{Field: "params", Reason: "must be an object, or an array of one object"}
	}
	return first, nil
}

// decode reads an object into a struct, by the rules of encoding/json, but in one pass. Names that the struct does not
// have are ignored, as 0.4.0 ignored them.
func decode(object []byte, into any) error {
	err := json.Unmarshal(object, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return &job.FieldError{Field: fieldName(wrong.Field), Reason: fmt.Sprintf("must be %s, not %s", kind(wrong.Type), wrong.Value)}
	}
	return err
}

// fieldName writes the path cc.0.email as cc[0].email. Of a map it is the map's name: a key is the caller's text.
func fieldName(path string) string {
	name, rest, _ := strings.Cut(path, ".")
	index, rest, _ := strings.Cut(rest, ".")
	if n, err := strconv.Atoi(index); err != nil || n < 0 {
		return name
	}
	name += "[" + index + "]"
	if rest != "" {
		name += "." + rest
	}
	return name
}

// kind is what JSON calls a type.
func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	if strings.HasPrefix(t.Kind().String(), "int") {
		return "an integer"
	}
	return "a number"
}
