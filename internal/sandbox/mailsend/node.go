package mailsend

import (
	"math"
	"strconv"
)

// checker collects the issues of one body.
type checker struct {
	issues []Issue
}

// node is a value of the body together with where it stands, so that every
// complaint names its field. Its readers complain about a wrong type and then
// answer the zero value: checking goes on, to list all that is wrong.
type node struct {
	c    *checker
	path string
	v    any
}

func (n node) fail(message string) {
	if len(n.c.issues) < maxIssues {
		n.c.issues = append(n.c.issues, fieldIssue(n.path, message))
	}
}

// at is a place below n, which must be an object or the root.
func (n node) at(key string) node {
	path := key
	if n.path != "" {
		path = n.path + "." + key
	}
	fields, _ := n.v.(map[string]any)
	return node{c: n.c, path: path, v: fields[key]}
}

// get is the field of an object; ok tells whether it is there, null included.
func (n node) get(key string) (field node, ok bool) {
	fields, _ := n.v.(map[string]any)
	if _, ok = fields[key]; !ok {
		return node{}, false
	}
	return n.at(key), true
}

func (n node) wrongType(want string) {
	n.fail("Invalid type. Expected: " + want + ", given: " + typeName(n.v) + ".")
}

func (n node) object() bool {
	_, ok := n.v.(map[string]any)
	if !ok {
		n.wrongType("object")
	}
	return ok
}

// elements are the values of an array that has at most limit of them.
func (n node) elements(limit int) []node {
	values, ok := n.v.([]any)
	if !ok {
		n.wrongType("array")
		return nil
	}
	if len(values) > limit {
		n.fail("The array has " + strconv.Itoa(len(values)) + " elements; the limit is " + strconv.Itoa(limit) + ".")
		return nil
	}
	nodes := make([]node, len(values))
	for i, v := range values {
		nodes[i] = node{c: n.c, path: n.path + "." + strconv.Itoa(i), v: v}
	}
	return nodes
}

func (n node) text() string {
	s, ok := n.v.(string)
	if !ok {
		n.wrongType("string")
	}
	return s
}

func (n node) integer() int64 {
	f, ok := n.v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		n.wrongType("integer")
		return 0
	}
	return int64(f)
}

func (n node) boolean() bool {
	b, ok := n.v.(bool)
	if !ok {
		n.wrongType("boolean")
	}
	return b
}

// texts are the members of an object whose values must be strings.
func (n node) texts() map[string]string {
	if !n.object() {
		return nil
	}
	fields := n.v.(map[string]any)
	texts := make(map[string]string, len(fields))
	for key := range fields {
		texts[key] = n.at(key).text()
	}
	return texts
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	default:
		return "object"
	}
}
