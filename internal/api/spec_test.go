package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// specExamples are those of https://www.jsonrpc.org/specification (section 7), with methods that this server has in
// the place of the examples': subtract and get_data answer, so rpc.discover does here; its result is cut to "R".
var specExamples = []struct{ name, request, want string }{
	{"positional params", `{"jsonrpc": "2.0", "method": "rpc.discover", "params": [{}], "id": 1}`, `{"jsonrpc":"2.0","result":"R","id":1}`},
	{"named params", `{"jsonrpc": "2.0", "method": "rpc.discover", "params": {"subtrahend": 23}, "id": 3}`, `{"jsonrpc":"2.0","result":"R","id":3}`},
	{"a notification", `{"jsonrpc": "2.0", "method": "rpc.discover", "params": [1,2,3,4,5]}`, ``},
	{"a notification without params", `{"jsonrpc": "2.0", "method": "foobar"}`, ``},
	{"non-existent method", `{"jsonrpc": "2.0", "method": "foobar", "id": "1"}`, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"1"}`},
	{"invalid JSON", `{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}`},
	{"invalid request object", `{"jsonrpc": "2.0", "method": 1, "params": "bar"}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}`},
	{"batch of invalid JSON", `[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]`, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}`},
	{"empty array", `[]`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}`},
	{"invalid batch that is not empty", `[1]`, `[{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}]`},
	{"invalid batch", `[1,2,3]`, `[{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null},{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null},{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}]`},
	{"batch", `[
		{"jsonrpc": "2.0", "method": "rpc.discover", "params": [{}], "id": "1"},
		{"jsonrpc": "2.0", "method": "rpc.discover", "params": [7]},
		{"jsonrpc": "2.0", "method": "rpc.discover", "params": {}, "id": "2"},
		{"foo": "boo"},
		{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
		{"jsonrpc": "2.0", "method": "rpc.discover", "id": "9"}
	]`, `[
		{"jsonrpc":"2.0","result":"R","id":"1"},
		{"jsonrpc":"2.0","result":"R","id":"2"},
		{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null},
		{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"5"},
		{"jsonrpc":"2.0","result":"R","id":"9"}
	]`},
	{"batch of notifications", `[{"jsonrpc": "2.0", "method": "rpc.discover", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "rpc.discover", "params": [7]}]`, ``},

	// What the examples leave out.
	{"id null is a request", `{"jsonrpc":"2.0","method":"rpc.discover","id":null}`, `{"jsonrpc":"2.0","result":"R","id":null}`},
	{"id is given back as it came", `{"jsonrpc":"2.0","method":"rpc.discover","id":12345678901234567890.50}`, `{"jsonrpc":"2.0","result":"R","id":12345678901234567890.50}`},
	{"id of a wrong type", `{"jsonrpc":"2.0","method":"rpc.discover","id":{}}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}`},
	{"id of a bad request", `{"jsonrpc":"1.0","method":"rpc.discover","id":7}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":7}`},
	{"no version", `{"method":"rpc.discover","id":7}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":7}`},
	{"params null", `{"jsonrpc":"2.0","method":"rpc.discover","params":null,"id":7}`, `{"jsonrpc":"2.0","result":"R","id":7}`},
	{"params a number", `{"jsonrpc":"2.0","method":"rpc.discover","params":5,"id":7}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":7}`},
	{"escaped names", `{"jsonrp\u0063":"\u0032.0","method":"rpc.\u0064iscover","id":"\"\\\u0041"}`, `{"jsonrpc":"2.0","result":"R","id":"\"\\\u0041"}`},
	{"other case", `{"JSONRPC":"2.0","Method":"rpc.discover","ID":7}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}`},
	{"spaces all over", " \r\n\t[ { \"jsonrpc\" : \"2.0\" , \"method\" : \"rpc.discover\" , \"id\" : 7 } ] ", `[{"jsonrpc":"2.0","result":"R","id":7}]`},
	{"empty body", ``, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}`},
	{"not UTF-8", "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":7}", `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}`},
	{"two values", `{} {}`, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}`},
	{"a string", `"x"`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}`},
	{"a batch in a batch", `[[]]`, `[{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}]`},
	{"a notification that fails", `{"jsonrpc":"2.0","method":"Postmaster.Enqueue","params":{}}`, ``},
}

func TestSpecificationExamples(t *testing.T) {
	t.Parallel()
	s := start(t, defaults(), Deps{Queue: &memory{}})
	for _, tc := range specExamples {
		t.Run(tc.name, func(t *testing.T) {
			status, got := s.post(t, tc.request)
			if tc.want == "" {
				if status != 204 || got != "" {
					t.Errorf("status %d, answer %q; want 204 and nothing", status, got)
				}
				return
			}
			if status != 200 || !reflect.DeepEqual(shortened(t, got), shortened(t, tc.want)) {
				t.Errorf("status %d, answer\n%s\nwant\n%s", status, got, tc.want)
			}
		})
	}
}

// shortened cuts the discovery document to "R" and what follows "Invalid Request" away. Ids stay as they are written.
func shortened(t *testing.T, answer string) []response {
	t.Helper()
	list := strings.TrimSpace(answer)
	if !strings.HasPrefix(list, "[") {
		list = "[" + list + "]"
	}
	var all []response
	if err := json.Unmarshal([]byte(list), &all); err != nil {
		t.Fatalf("answer %q: %v", answer, err)
	}
	for i := range all {
		if all[i].Result != nil {
			all[i].Result = json.RawMessage(`"R"`)
		}
		if e := all[i].Error; e != nil && strings.HasPrefix(e.Message, "Invalid Request") {
			e.Message = "Invalid Request"
		}
	}
	if strings.HasPrefix(strings.TrimSpace(answer), "[") {
		all = append(all, response{Version: "batch"})
	}
	return all
}
