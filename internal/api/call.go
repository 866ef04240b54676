package api

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// A call is one Request object of JSON-RPC.
type call struct {
	method string
	params []byte // nil: none
	id     []byte // as it came, to be given back; nil: a notification, which gets no answer
	owned  bool   // params may be written to, as may what follows them, and kept
}

var null = []byte("null")

// parseCall reads a Request object. Of one that is invalid the id is given back if it is a valid one, else null.
func parseCall(raw []byte) (call, *rpcError) {
	if raw[0] != '{' {
		return call{id: null}, invalidRequest("not an object")
	}
	var (
		c       call
		version []byte
		method  []byte
	)
	members(raw, func(name string, value []byte) {
		switch name {
		case "jsonrpc":
			version = value
		case "method":
			method = value
		case "params":
			c.params = value
		case "id":
			c.id = value
		}
	})
	if err := c.check(version, method); err != nil {
		if !isID(c.id) {
			c.id = null
		}
		return c, err
	}
	c.method = memberName(method)
	return c, nil
}

func (c *call) check(version, method []byte) *rpcError {
	switch {
	case c.id != nil && !isID(c.id):
		return invalidRequest("id must be a string, a number or null, of at most " + strconv.Itoa(maxID) + " bytes")
	case len(version) == 0 || version[0] != '"' || memberName(version) != "2.0":
		return invalidRequest(`jsonrpc must be "2.0"`)
	case len(method) == 0 || method[0] != '"':
		return invalidRequest("method must be a string")
	}
	if bytes.Equal(c.params, null) {
		c.params = nil
	}
	if c.params != nil && c.params[0] != '{' && c.params[0] != '[' {
		return invalidRequest("params must be an object or an array")
	}
	return nil
}

// maxID is how long an id may be: each answer repeats it.
const maxID = 1 << 10

func isID(id []byte) bool {
	return len(id) > 0 && len(id) <= maxID && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9' || bytes.Equal(id, null))
}

// appendResult and appendError append a Response object.
func appendResult(b []byte, id []byte, result json.RawMessage) []byte {
	b = append(b, `{"jsonrpc":"2.0","result":`...)
	b = append(b, result...)
	return appendID(b, id)
}

func appendError(b []byte, id []byte, e *rpcError) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		text = []byte(`{"code":-32603,"message":"Internal error"}`)
	}
	b = append(b, `{"jsonrpc":"2.0","error":`...)
	b = append(b, text...)
	return appendID(b, id)
}

func appendID(b []byte, id []byte) []byte {
	b = append(b, `,"id":`...)
	b = append(b, id...)
	return append(b, '}')
}
