package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

// TestMailsAreReadByTheRulesOfEncodingJSON, with which pm-worker reads them later: what pm-api checks has to be what is
// sent.
func TestMailsAreReadByTheRulesOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"to":"a"}`, `{"TO":"a","tO":"b"}`, `{"to":"a","to":null}`, `{"to":null}`, `{"t\u006f":"a"}`, `{"to_":"a","to-Name":"b"}`,
		`{"uniqueID":"x","uniqueid":"y","UNIQUE_ID":"z"}`, `{"\u212apriority":"high","from\u017f":"x"}`, `{"flag\u017f":4}`,
		`{"flags":4}`, `{"flags":4.0}`, `{"flags":4e0}`, `{"flags":1e3}`, `{"flags":"4"}`, `{"flags":9223372036854775808}`, `{"flags":-0}`,
		`{"subject":"\ud83d\ude00 \ud800 x"}`, `{"subject":"\u0000"}`, `{"subject":5}`, `{"subject":["x"]}`, `{"subject":{}}`,
		`{"uniqueArgs":{"a":"b","a":"c"},"uniqueArgs":{"d":"e"}}`, `{"uniqueArgs":null}`, `{"uniqueArgs":{"a":null}}`, `{"uniqueArgs":{"a":1}}`,
		`{"uniqueArgs":[]}`, `{"cc":[null,{"email":"a"},{"EMAIL":"b","x":1}]}`, `{"cc":[{"email":"a"},{"email":"b"}],"cc":[{"name":"n"}]}`,
		`{"cc":{}}`, `{"cc":[1]}`, `{"cc":[["a"]]}`, `{"categories":["a",null]}`, `{"categories":"a"}`, `{"attachments":[{"content":"QQ==","filename":1}]}`,
		`{"templateData":{"a": 1.50, "a":[true,null]}}`, `{"templateData":null}`, `{"templateData":"x"}`, `{"headers":{"":"x"}}`,
		`{"sendAt":"soon"}`, `{"id":"x","ID":5}`, `{"unknown":{"to":"b"}}`, `{ "to" :	"a"` + "\r\n}", strings.Repeat(`{"x":`, 50) + "1" + strings.Repeat("}", 50),
	} {
		var got, want job.Email
		gotErr, wantErr := decode([]byte(text), &got), json.Unmarshal([]byte(text), &want)
		if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, %v; encoding/json says\n%+v, %v", text, got, gotErr, want, wantErr)
		}
		var field *job.FieldError
		if gotErr != nil && !errors.As(gotErr, &field) {
			t.Errorf("%s: %v names no field", text, gotErr)
		}
		if got, want := validJSON([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%s is valid: %v, encoding/json says %v", text, got, want)
		}
	}
}
