package mailsend

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// document checks bodies with SendGrid's OpenAPI document.
type document struct {
	doc    *openapi3.T
	schema *openapi3.Schema
}

func loadDocument(t *testing.T) document {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("testdata/tsg_mail_v3.patched.json")
	if err != nil {
		t.Fatal(err)
	}
	body := doc.Paths.Value("/v3/mail/send").Post.RequestBody.Value
	return document{doc, body.Content.Get("application/json").Schema.Value}
}

func (d document) accepts(tree any) error {
	email := openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail)
	return d.doc.ValidateSchemaJSON(d.schema, tree,
		openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("email", email))
}

// beyond are the rules that the document does not have: SendGrid's pages do.
var beyond = regexp.MustCompile(strings.Join([]string{
	"valid address", "Unicode", "newline", "CRLF", "base64", "unique", "same domain", "72 hours", "10000 bytes", "150 substitutions",
	"subject is required", "text/plain and text/html", "dynamic template", "total number of recipients",
	"cannot be combined", "Each category must be unique", "at least one character",
	"must have at least one content block", // "content": [] next to a template_id
}, "|"))

// agree fails when the document and Parse judge a body differently, except
// for the rules beyond the document. It answers whether Parse accepted.
func (d document) agree(t interface{ Fatalf(string, ...any) }, tree any) bool {
	body, err := json.Marshal(tree)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	documented := d.accepts(tree)
	_, issues := Parse(body, now)
	if documented != nil && issues == nil {
		t.Fatalf("Parse accepts what the document rejects\nbody %s\ndocument: %v", body, documented)
	}
	if documented == nil && issues != nil &&
		!slices.ContainsFunc(issues, func(i Issue) bool { return beyond.MatchString(i.Message) }) {
		t.Fatalf("Parse rejects what the document accepts\nbody %s\nissues %s", body, text(issues))
	}
	return issues == nil
}

func TestParseAgreesWithTheDocumentOnEveryField(t *testing.T) {
	t.Parallel()
	d := loadDocument(t)
	var base any
	if err := json.Unmarshal([]byte(fullBody), &base); err != nil {
		t.Fatal(err)
	}
	if !d.agree(t, base) {
		t.Fatal("the full body must be accepted by both")
	}
	paths := allPaths(base, nil)
	if len(paths) < 90 {
		t.Fatalf("only %d fields in the full body", len(paths))
	}
	for _, path := range paths {
		for i := range 3 { // few, because kin-openapi takes milliseconds for each
			d.agree(t, change(base, path, func(old any) (any, bool) { return wrong(old)[i], true }))
		}
		d.agree(t, change(base, path, func(any) (any, bool) { return nil, false }))
	}
}

// wrong are values that do not fit where old is.
func wrong(old any) [3]any {
	switch old.(type) {
	case string:
		return [3]any{nil, 1.0, ""}
	case []any:
		return [3]any{nil, "x", []any{}}
	case map[string]any:
		return [3]any{nil, []any{"x"}, map[string]any{}}
	default:
		return [3]any{nil, "x", 1.5}
	}
}

func TestParseAgreesWithTheDocumentOnRandomBodies(t *testing.T) {
	t.Parallel()
	d := loadDocument(t)
	var base any
	if err := json.Unmarshal([]byte(fullBody), &base); err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tree := base
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			paths := allPaths(tree, nil)
			if len(paths) == 0 {
				break
			}
			path := rapid.SampledFrom(paths).Draw(t, "path")
			tree = change(tree, path, func(old any) (any, bool) { return mutate(t, old) })
		}
		if d.agree(t, tree) {
			accepted++
		} else {
			refused++
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the bodies are not varied enough", accepted, refused)
	}
}

var replacements = []any{
	nil, true, false, 0.0, 1.0, -1.0, 1.5, "", "x", "nope", "alex@example.com", "a;b", "größe", strings.Repeat("y", 300),
	[]any{}, []any{"x"}, []any{nil}, []any{map[string]any{}}, map[string]any{}, map[string]any{"email": 1.0}, map[string]any{"x": "y"},
	map[string]any{"To": "x"}, map[string]any{"a b": "x"}, map[string]any{"enable": "yes"},
}

func mutate(t *rapid.T, old any) (value any, keep bool) {
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		return nil, false
	case 1:
		if list, ok := old.([]any); ok && len(list) > 0 {
			return append(slices.Clone(list), list[0]), true // a duplicate
		}
		return rapid.String().Draw(t, "text"), true
	case 2:
		if fields, ok := old.(map[string]any); ok {
			grown := map[string]any{rapid.SampledFrom([]string{"email", "to", "subject", "X-A", "Cc", "é", "enable"}).Draw(t, "key"): rapid.SampledFrom(replacements).Draw(t, "value")}
			for k, v := range fields {
				grown[k] = v
			}
			return grown, true
		}
		return rapid.Float64Range(-1e12, 1e12).Draw(t, "number"), true
	default:
		return rapid.SampledFrom(replacements).Draw(t, "value"), true
	}
}

// allPaths lists the places in a tree, parents before children.
func allPaths(tree any, at []any) [][]any {
	var all [][]any
	add := func(key, value any) {
		path := append(slices.Clone(at), key)
		all = append(append(all, path), allPaths(value, path)...)
	}
	switch v := tree.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys) // rapid shrinks only what is the same each time
		for _, k := range keys {
			add(k, v[k])
		}
	case []any:
		for i, e := range v {
			add(i, e)
		}
	}
	return all
}

// change copies a tree with the value at path replaced, or removed when edit
// answers false.
func change(tree any, path []any, edit func(old any) (any, bool)) any {
	switch v := tree.(type) {
	case map[string]any:
		copied := make(map[string]any, len(v))
		for k, e := range v {
			copied[k] = e
		}
		key := path[0].(string)
		if len(path) > 1 {
			copied[key] = change(v[key], path[1:], edit)
			return copied
		}
		delete(copied, key)
		if value, keep := edit(v[key]); keep {
			copied[key] = value
		}
		return copied
	case []any:
		i := path[0].(int)
		if len(path) > 1 {
			copied := slices.Clone(v)
			copied[i] = change(v[i], path[1:], edit)
			return copied
		}
		value, keep := edit(v[i])
		if !keep {
			return slices.Delete(slices.Clone(v), i, i+1)
		}
		copied := slices.Clone(v)
		copied[i] = value
		return copied
	}
	return tree
}
