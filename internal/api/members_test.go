package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

func TestEnqueueWarnsOfUnknownMembersAndStrictRefusesThem(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for member, want := range map[string]string{
		"send_at": `unknown member "send_at": did you mean "sendAt"?`, "subjct": `unknown member "subjct": did you mean "subject"?`,
		"fromname2": `unknown member "fromname2": did you mean "fromName"?`, "tracking": `unknown member "tracking"`,
		"ot": `unknown member "ot"`,
	} {
		var result enqueueResult
		if err := s.do(t, "Postmaster.Enqueue", mail(map[string]any{member: 1}), &result); err != nil {
			t.Fatal(err)
		}
		if len(result.Warnings) != 1 || result.Warnings[0] != want {
			t.Errorf("%s: warnings %q, want %q", member, result.Warnings, want)
		}
		err := s.do(t, "Postmaster.Enqueue", mail(map[string]any{member: 1, "strict": true}), &result)
		if err == nil || err.Code != CodeInvalidParams || err.Data.Field != member || !strings.HasPrefix(err.Message, member+" ") {
			t.Errorf("%s, strict: %+v", member, err)
		}
	}
	_, answer := s.post(t, enqueueCall(mail(map[string]any{"strict": true, "Subject": "in another case"})))
	if strings.Contains(answer, "warnings") || !strings.Contains(answer, `"success":true`) {
		t.Errorf("known members alone, strict: %s", answer)
	}
}

// An email that needs a field of a later version must not go out without it.
func TestEnqueueRefusesFieldsOfALaterVersion(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for _, member := range laterMembers {
		err := s.do(t, "Postmaster.Enqueue", mail(map[string]any{member: 1}), nil)
		if err == nil || err.Code != CodeInvalidParams || err.Message != member+" is not in this version" {
			t.Errorf("%s: %+v", member, err)
		}
		if containsFold(enqueueMembers, member) {
			t.Errorf("%s is in this version", member)
		}
	}
}

func TestTimesMayBeRFC3339AndAreQueuedAsUnixSeconds(t *testing.T) {
	t.Parallel()
	q := &memory{}
	s := start(t, defaults(), Deps{Queue: q})
	params := mail(map[string]any{"sendAt": "2030-01-01T00:00:00+01:00", "sendBefore": "2030-01-01T01:00:00.5Z"})
	if err := s.do(t, "Postmaster.Enqueue", params, nil); err != nil {
		t.Fatal(err)
	}
	e, err := job.DecodeEmail(q.events[0].ID, q.events[0].Contents)
	if err != nil || e.SendAt != 1893452400 || e.SendBefore != 1893459600 {
		t.Errorf("queued %s (%v)", q.events[0].Contents, err)
	}
	for _, bad := range []any{"now", "2030-01-01", "1960-01-01T00:00:00Z", "", true, 1.5} {
		for _, field := range []string{"sendAt", "sendBefore"} {
			err := s.do(t, "Postmaster.Enqueue", mail(map[string]any{field: bad}), nil)
			if err == nil || err.Code != CodeInvalidParams || err.Data.Field != field {
				t.Errorf("%s %v: %+v", field, bad, err)
			}
		}
	}
}

func TestWeighCountsValuesAndNesting(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]weight{
		`1`: {1, 0}, `""`: {1, 0}, `"{[,"`: {1, 0}, `"\",["`: {1, 0}, `[]`: {2, 1}, `[1,2]`: {3, 1}, `{"a":[{}]}`: {4, 3}, `[[],[]]`: {5, 2},
	} {
		if got := weigh([]byte(text)); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABatchMakesNoCallsPastItsAnswers(t *testing.T) {
	t.Parallel()
	q := &memory{}
	s := start(t, defaults(), Deps{Queue: q})
	notification := strings.Replace(enqueueCall(mail(nil)), `,"id":1`, "", 1)
	notification = strings.Replace(notification, `"id":1,`, "", 1)
	body := "[" + strings.Repeat(discoverCall+",", 900) + enqueueCall(mail(nil)) + "," + notification + "]"
	_, answer := s.post(t, body)
	var all []response
	if err := json.Unmarshal([]byte(answer), &all); err != nil || len(all) != 901 {
		t.Fatalf("%d answers, %v", len(all), err)
	}
	if last := all[900]; last.Error == nil || last.Error.Code != CodeInvalidRequest || !strings.Contains(last.Error.Message, "not called") {
		t.Errorf("the call after the limit: %+v", last)
	}
	if len(q.events) != 1 {
		t.Errorf("%d emails queued, want the notification's alone", len(q.events))
	}
}
