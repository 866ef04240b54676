package hooks

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/levenlabs/postmaster/pkg/job"
)

// An element is one element of a POST: its bytes, and the text of the few fields that decide where it goes. It agrees
// with job.DecodeEvent, which would make a map of all fields; a fuzz test holds the two together.
type element struct {
	raw    []byte
	object bool

	event, statsID, oldStatsID, env, timestamp, status []byte
}

// errNotBatch is a POST that is not a JSON array of objects.
var errNotBatch = errors.New("not a JSON array of objects")

// scan calls each for every element of a POST, in one pass that makes no copy of it. The element is valid during the
// call only. The whole POST has been checked to be JSON once scan returned nil, and not before.
func scan(body []byte, each func(*element)) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '[' {
		return errNotBatch
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	elements, objects := 0, 0
	for dec.PeekKind() != ']' {
		var el element
		if err := el.read(dec, body); err != nil {
			return fmt.Errorf("element %d: %w", elements, err)
		}
		elements++
		if el.object {
			objects++
		}
		each(&el)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if len(bytes.Trim(body[dec.InputOffset():], " \t\r\n")) > 0 {
		return errors.New("more after the array")
	}
	if elements > 0 && objects == 0 {
		return errNotBatch
	}
	return nil
}

func (el *element) read(dec *jsontext.Decoder, body []byte) error {
	el.object = dec.PeekKind() == '{'
	if !el.object {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	start := dec.InputOffset() - 1
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		field := el.field(name)
		if field == nil {
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		end := int(dec.InputOffset())
		*field = text(body[end-len(value) : end]) // not value itself, which the decoder may overwrite; the last of two counts
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	el.raw = body[start:dec.InputOffset()]
	return nil
}

// field returns where the value of name goes, or nil for a name that says nothing to us.
func (el *element) field(name jsontext.Value) *[]byte {
	switch string(text(name)) {
	case "event":
		return &el.event
	case "timestamp":
		return &el.timestamp
	case "type":
		return &el.status
	case job.ArgStatsID:
		return &el.statsID
	case job.ArgOldStatsID:
		return &el.oldStatsID
	case job.ArgEnvID:
		return &el.env
	}
	return nil
}

// text returns a string's contents, and a number or boolean as it is written. Anything else is as if it were not there.
func text(v []byte) []byte {
	switch jsontext.Value(v).Kind() {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return v[1 : len(v)-1]
		}
		unquoted, _ := jsontext.AppendUnquote([]byte{}, v) // its error is about UTF-8, which it has mended
		return unquoted
	case '0', 't', 'f':
		return v
	}
	return nil
}
