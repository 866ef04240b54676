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

// scan calls each for every element of a POST, in one pass that makes no copy of it, and returns the array without the
// white space around it. The element is valid during the call only. The whole POST has been checked to be JSON once scan
// returned no error, and not before.
func scan(body []byte, each func(*element)) (array []byte, _ error) {
	c := cursor{body: body}
	if c.next() != '[' {
		return nil, errNotBatch
	}
	start := c.pos
	elements, objects, err := c.elements(each)
	if err != nil {
		return nil, fmt.Errorf("element %d: %w", elements, err)
	}
	array = body[start:c.pos]
	if c.next(); c.pos < len(body) {
		return nil, errors.New("more after the array")
	}
	if elements > 0 && objects == 0 {
		return nil, errNotBatch
	}
	return array, nil
}

func (c *cursor) elements(each func(*element)) (elements, objects int, _ error) {
	c.pos++
	if c.next() == ']' {
		c.pos++
		return 0, 0, nil
	}
	var el element
	for done := false; !done; elements++ {
		el = element{}
		if err := c.element(&el); err != nil {
			return elements, objects, err
		}
		if el.object {
			objects++
		}
		each(&el)
		var err error
		if done, err = c.done(']'); err != nil {
			return elements, objects, err
		}
	}
	return elements, objects, nil
}

func (c *cursor) element(el *element) error {
	const depth = 2 // of what is in the element
	if el.object = c.next() == '{'; !el.object {
		_, err := c.value(depth - 1)
		return err
	}
	start := c.pos
	c.pos++
	if c.next() == '}' {
		c.pos++
		el.raw = c.body[start:c.pos]
		return nil
	}
	for done := false; !done; {
		c.escaped = false
		name, err := c.name()
		if err != nil {
			return err
		}
		field := el.field(name, c.escaped)
		value, err := c.value(depth)
		if err != nil {
			return err
		}
		if field != nil {
			*field = text(value) // the last of two counts
		}
		if done, err = c.done('}'); err != nil {
			return err
		}
	}
	el.raw = c.body[start:c.pos]
	return nil
}

// field returns where the value of name goes, or nil for a name that says nothing to us.
func (el *element) field(name []byte, escaped bool) *[]byte {
	if escaped {
		name = text(name)
	} else {
		name = name[1 : len(name)-1]
	}
	switch string(name) {
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
	switch v[0] {
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return v[1 : len(v)-1]
		}
		unquoted, _ := jsontext.AppendUnquote([]byte{}, v) // its error is about UTF-8, which it has mended
		return unquoted
	case '{', '[', 'n':
		return nil
	}
	return v
}
