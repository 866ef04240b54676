package api

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// described is what the tests read of openrpc.json.
type described struct {
	Methods []struct {
		Name   string
		Params []struct {
			Name     string
			Required bool
			Schema   schema
		}
		Result struct{ Schema schema }
		Errors []map[string]string
	}
	Components struct {
		Schemas map[string]schema
		Errors  map[string]struct{ Code int }
	}
}

type schema struct {
	Type       any
	Properties map[string]schema
	Required   []string
	OneOf      []schema
	Items      *schema
	MaxLength  int
	MinLength  int
	MaxItems   int
	Maximum    int64
	Enum       []string
	Ref        string `json:"$ref"`
}

// params and results are the types that the methods really take and give.
var (
	paramTypes = map[string]any{
		"Postmaster.Enqueue": job.Email{}, "Postmaster.UpdatePrefs": updatePrefsParams{}, "Postmaster.MovePrefs": movePrefsParams{},
		"Postmaster.GetPrefs": getPrefsParams{}, "Postmaster.GetLastEmail": getLastEmailParams{}, "Postmaster.GetEmail": getEmailParams{},
		"rpc.discover": struct{}{},
	}
	resultTypes = map[string]any{
		"Postmaster.Enqueue": enqueueResult{}, "Postmaster.UpdatePrefs": success{}, "Postmaster.MovePrefs": success{},
		"Postmaster.GetPrefs": getPrefsResult{}, "Postmaster.GetLastEmail": getLastEmailResult{}, "Postmaster.GetEmail": getEmailResult{},
	}
)

func discovered(t *testing.T) described {
	t.Helper()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	var d described
	if err := s.do(t, "rpc.discover", nil, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// members are the names that a type has in JSON.
func memberNames(v any) []string {
	var names []string
	for i, typ := 0, reflect.TypeOf(v); i < typ.NumField(); i++ {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestDiscoveryNamesWhatTheCodeHas(t *testing.T) {
	t.Parallel()
	d := discovered(t)
	s := &Server{}
	var methods []string
	for _, m := range d.Methods {
		methods = append(methods, m.Name)
		var names []string
		for _, p := range m.Params {
			names = append(names, p.Name)
		}
		want := memberNames(paramTypes[m.Name])
		if m.Name == "Postmaster.Enqueue" {
			want = slices.DeleteFunc(want, func(name string) bool { return name == "id" || name == "traceparent" }) // given by pm-api
			want = append(want, "strict")
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: params %v, want %v", m.Name, names, want)
		}
		result := m.Result.Schema
		if len(result.OneOf) > 0 {
			result = result.OneOf[0]
		}
		if typ, ok := resultTypes[m.Name]; ok && !sameNames(slices.Collect(maps.Keys(result.Properties)), memberNames(typ)) {
			t.Errorf("%s: result %v, want %v", m.Name, result.Properties, memberNames(typ))
		}
	}
	if want := slices.Collect(maps.Keys(s.table())); !sameNames(methods, want) {
		t.Errorf("methods %v, want %v", methods, want)
	}
	for name, typ := range map[string]any{"Stat": stat{}, "Email": email{}} {
		schema := d.Components.Schemas[name]
		if !sameNames(schema.Required, memberNames(typ)) || !sameNames(slices.Collect(maps.Keys(schema.Properties)), memberNames(typ)) {
			t.Errorf("%s: %v, want %v", name, schema, memberNames(typ))
		}
	}
}

func sameNames(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestDiscoveryStatesTheLimitsOfTheCode(t *testing.T) {
	t.Parallel()
	d := discovered(t)
	got := map[string]schema{}
	for _, p := range d.Methods[0].Params {
		got[p.Name] = p.Schema
		if required := p.Name == "to" || p.Name == "from"; p.Required != required {
			t.Errorf("%s: required = %v", p.Name, p.Required)
		}
	}
	for name, want := range map[string]int{
		"to": job.MaxAddress, "from": job.MaxAddress, "replyTo": job.MaxAddress, "toName": job.MaxName, "fromName": job.MaxName,
		"subject": job.MaxSubject, "html": job.MaxBody, "text": job.MaxBody, "uniqueID": job.MaxUniqueID,
		"templateID": job.MaxTemplateID, "ipPool": job.MaxIPPool, "idempotencyKey": job.MaxKey,
	} {
		if got[name].MaxLength != want {
			t.Errorf("%s: maxLength %d, want %d", name, got[name].MaxLength, want)
		}
	}
	if c := got["categories"]; c.MaxItems != job.MaxCategories || c.Items.MaxLength != job.MaxCategory {
		t.Errorf("categories: %+v", c)
	}
	for _, name := range []string{"sendAt", "sendBefore"} {
		if got[name].Maximum != job.MaxTime {
			t.Errorf("%s: maximum %d", name, got[name].Maximum)
		}
	}
	if got["ipPool"].MinLength != job.MinIPPool {
		t.Errorf("ipPool: minLength %d", got["ipPool"].MinLength)
	}
	if !sameNames(got["priority"].Enum, []string{job.PriorityHigh, job.PriorityNormal}) ||
		!sameNames(got["onUnknown"].Enum, []string{job.OnUnknownResend, job.OnUnknownHold}) {
		t.Errorf("priority %v, onUnknown %v", got["priority"].Enum, got["onUnknown"].Enum)
	}
	for name, typ := range map[string]any{"cc": job.Address{}, "bcc": job.Address{}, "attachments": job.Attachment{}} {
		if !sameNames(slices.Collect(maps.Keys(got[name].Items.Properties)), memberNames(typ)) {
			t.Errorf("%s: %v, want %v", name, got[name].Items.Properties, memberNames(typ))
		}
	}
	states := []stats.State{
		stateQueued, stateScheduled, stats.Attempting, stats.Accepted, stats.Retrying, stats.Unknown, stats.Rejected, stats.OptedOut, stats.Expired, stats.Dead,
	}
	var names []string
	for _, s := range states {
		names = append(names, string(s))
	}
	if got := d.Components.Schemas["Email"].Properties["state"].Enum; !sameNames(got, names) {
		t.Errorf("states %v, want %v", got, names)
	}
}

func TestDiscoveryListsTheErrors(t *testing.T) {
	t.Parallel()
	d := discovered(t)
	var codes []int
	for _, e := range d.Components.Errors {
		codes = append(codes, e.Code)
	}
	slices.Sort(codes)
	want := []int{CodeInternal, CodeInvalidParams, CodeKeyReused, CodeUnavailable, CodeNoStore}
	slices.Sort(want)
	if !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
	for _, m := range d.Methods {
		for _, e := range m.Errors {
			if _, ok := d.Components.Errors[strings.TrimPrefix(e["$ref"], "#/components/errors/")]; !ok {
				t.Errorf("%s: no error %s", m.Name, e["$ref"])
			}
		}
	}
}

// manual is docs/api.md.
func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestManualCoversEveryMethodFieldAndError(t *testing.T) {
	t.Parallel()
	doc := manual(t)
	section := func(heading string) string {
		_, rest, found := strings.Cut(doc, "\n## "+heading+"\n")
		if !found {
			t.Fatalf("no section %q", heading)
		}
		text, _, _ := strings.Cut(rest, "\n## ")
		return text
	}
	for name := range (&Server{}).table() {
		text := section(name)
		for _, field := range memberNames(paramTypes[name]) {
			if field != "id" && field != "traceparent" && !strings.Contains(text, "`"+field+"`") {
				t.Errorf("%s does not speak of %s", name, field)
			}
		}
		if !strings.Contains(text, "curl ") && name != "rpc.discover" {
			t.Errorf("%s has no curl", name)
		}
	}
	codes := section("Errors")
	for _, code := range []string{"-32700", "-32600", "-32601", "-32602", "-32603", "-32001", "-32002", "-32003", "405", "415", "413", "401", "503", "408"} {
		if !strings.Contains(codes, code) {
			t.Errorf("Errors does not speak of %s", code)
		}
	}
	for _, field := range memberNames(stat{}) {
		if !strings.Contains(doc, "`"+field+"`") {
			t.Errorf("the manual does not speak of stat's %s", field)
		}
	}
}

// TestCurlsOfTheManualWork sends what the manual shows.
func TestCurlsOfTheManualWork(t *testing.T) {
	t.Parallel()
	bodies := regexp.MustCompile(`(?s)curl [^']*'(\{.*?\})'`).FindAllStringSubmatch(manual(t), -1)
	if len(bodies) < 6 {
		t.Fatalf("%d curls, want one for each method", len(bodies))
	}
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for _, body := range bodies {
		status, answer := s.post(t, body[1])
		var r response
		if err := json.Unmarshal([]byte(answer), &r); err != nil || status != 200 {
			t.Errorf("%s: status %d, %s", body[1], status, answer)
		}
		if r.Error != nil && r.Error.Code != CodeNoStore {
			t.Errorf("%s: %v", body[1], r.Error)
		}
	}
}
