package sendgrid

import (
	"encoding/json"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Twilio's own description of the request, with its mistakes mended.
const openAPI = "../sandbox/mailsend/testdata/tsg_mail_v3.patched.json"

func TestBodiesConformToTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Paths.Value("/v3/mail/send").Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	template := small()
	template.Text, template.Subject, template.TemplateID = "", "", "d-0123456789abcdef0123456789abcdef"
	template.TemplateData = json.RawMessage(`{"name":"Ann","items":[1,2]}`)
	for name, e := range map[string]*job.Email{"small": small(), "full": full(), "template": template} {
		data, err := appendBody(nil, e, "production", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.VisitJSON(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
