package job

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// FuzzValidate: no JSON makes Validate panic, and a mail it allows is the same mail, and allowed, after the queue.
func FuzzValidate(f *testing.F) {
	for _, tc := range faults {
		e := valid()
		tc.breakIt(e)
		if b, err := json.Marshal(e); err == nil && len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Add([]byte(`{"to":"a@b","from":"c@d","subject":"s","text":"t","flags":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Email
		if json.Unmarshal(b, &e) != nil {
			return
		}
		if err := e.Validate(); err != nil {
			var fe *FieldError
			if !errors.As(err, &fe) || fe.Field == "" || fe.Reason == "" || len(fe.Error()) > 1024 {
				t.Fatalf("%#v is no short FieldError", err)
			}
			return
		}
		e.ID = NewID()
		contents, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEmail(string(e.ID), contents)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Validate(); err != nil {
			t.Fatalf("after the queue: %v", err)
		}
		e.TemplateData, back.TemplateData = nil, nil // white space may differ
		if again, _ := back.Encode(); !reflect.DeepEqual(mustEncode(t, &e), again) {
			t.Fatalf("changed in the queue: %s", again)
		}
	})
}

func mustEncode(t *testing.T, e *Email) []byte {
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
