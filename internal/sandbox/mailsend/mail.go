package mailsend

import (
	"maps"
	"slices"
)

// Mail is one accepted request. It keeps what the sandbox shows and what its
// events need; the rest of the request was checked and stays in the body.
type Mail struct {
	From             Address           `json:"from"`
	ReplyTo          []Address         `json:"reply_to,omitempty"`
	Subject          string            `json:"subject,omitempty"`
	Personalizations []Personalization `json:"personalizations"`
	Content          []Content         `json:"content,omitempty"`
	Attachments      []Attachment      `json:"attachments,omitempty"`
	Headers          map[string]string `json:"headers,omitempty"`
	TemplateID       string            `json:"template_id,omitempty"`
	Categories       []string          `json:"categories,omitempty"`
	CustomArgs       map[string]string `json:"custom_args,omitempty"`
	SendAt           int64             `json:"send_at,omitempty"`
	ASMGroupID       int64             `json:"asm_group_id,omitempty"`
	IPPool           string            `json:"ip_pool_name,omitempty"`

	SandboxMode    bool `json:"sandbox_mode,omitempty"`
	NoOpenTracking bool `json:"no_open_tracking,omitempty"` // open_tracking.enable is false
}

// Address is a mailbox with an optional display name.
type Address struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

// String is the address as a mail program shows it.
func (a Address) String() string {
	if a.Name == "" {
		return a.Email
	}
	return a.Name + " <" + a.Email + ">"
}

// Personalization is one envelope of the request. Its CustomArgs are its own;
// Mail.Args has them merged with the request's.
type Personalization struct {
	To         []Address         `json:"to"`
	CC         []Address         `json:"cc,omitempty"`
	BCC        []Address         `json:"bcc,omitempty"`
	From       *Address          `json:"from,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	CustomArgs map[string]string `json:"custom_args,omitempty"`
	SendAt     int64             `json:"send_at,omitempty"`
}

// Recipients are all the addresses of p: to, cc, bcc.
func (p Personalization) Recipients() []Address {
	all := make([]Address, 0, len(p.To)+len(p.CC)+len(p.BCC))
	return append(append(append(all, p.To...), p.CC...), p.BCC...)
}

// Content is one body part.
type Content struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Attachment describes an attached file; Size counts its decoded bytes.
type Attachment struct {
	Filename    string `json:"filename"`
	Type        string `json:"type,omitempty"`
	Disposition string `json:"disposition,omitempty"`
	ContentID   string `json:"content_id,omitempty"`
	Size        int64  `json:"size"`
}

// Args are the custom args that the events of personalization i carry: the
// request's, overridden by the personalization's own.
func (m *Mail) Args(i int) map[string]string {
	own := m.Personalizations[i].CustomArgs
	if len(own) == 0 {
		return m.CustomArgs
	}
	if len(m.CustomArgs) == 0 {
		return own
	}
	all := maps.Clone(m.CustomArgs)
	maps.Copy(all, own)
	return all
}

// Body is the first content of that type, or "".
func (m *Mail) Body(contentType string) string {
	for _, c := range m.Content {
		if c.Type == contentType {
			return c.Value
		}
	}
	return ""
}

// Envelope is the mail without what may be large, for keeping in memory.
func (m *Mail) Envelope() *Mail {
	e := *m
	e.Content, e.Attachments, e.Headers = nil, nil, nil
	e.Personalizations = slices.Clone(m.Personalizations)
	for i := range e.Personalizations {
		e.Personalizations[i].Headers = nil
	}
	return &e
}
