package sendgrid

import (
	"maps"
	"strings"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/sendgrid-go/helpers/mail"
)

// addLink gives the recipient a one-click unsubscribe, unless the mail has a List-Unsubscribe of its own. All of the
// mail's headers then stand with the recipient: how SendGrid joins two sets of them is not documented.
func addLink(m *mail.SGMailV3, e *job.Email, links *unsubscribe.Links) {
	headers := links.Headers(e.To, e.Flags)
	if headers == nil {
		return
	}
	for name := range e.Headers {
		if strings.EqualFold(name, unsubscribe.HeaderList) || strings.EqualFold(name, unsubscribe.HeaderListPost) {
			return
		}
	}
	maps.Copy(headers, e.Headers)
	m.Headers, m.Personalizations[0].Headers = nil, headers
}
