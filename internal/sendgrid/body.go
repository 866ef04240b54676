package sendgrid

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/sendgrid-go/helpers/mail"
)

// appendBody appends the body of /v3/mail/send to dst.
//
// Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
//
// The large parts, contents and attachments, are written by appendString straight from the job, since encoding/json
// would copy them through a buffer of its own and write each < and > of HTML in six bytes.
func appendBody(dst []byte, e *job.Email, env, pool string, links *unsubscribe.Links) ([]byte, error) {
	m, err := newMail(e, env, pool)
	if err != nil {
		return dst, err
	}
	addLink(m, e, links)
	content := m.Content
	m.Content = nil
	head, err := marshal(m)
	if err != nil {
		return dst, fmt.Errorf("encode mail %s: %w", e.ID, err)
	}
	dst = grow(dst, len(head)+sizeOf(e))
	dst = append(dst, head[:len(head)-1]...) // without its last brace
	dst = appendContent(dst, content)
	dst = appendAttachments(dst, e.Attachments)
	return append(dst, '}'), nil
}

// newMail is the mail without its attachments. SendAt is not passed on: okq keeps the mail until then.
func newMail(e *job.Email, env, pool string) (*mail.SGMailV3, error) {
	p := &mail.Personalization{To: []*mail.Email{mail.NewEmail(e.ToName, e.To)}, CC: emails(e.CC), BCC: emails(e.BCC)}
	if err := setTemplateData(p, e); err != nil {
		return nil, err
	}
	m := &mail.SGMailV3{
		From: mail.NewEmail(e.FromName, e.From), Subject: e.Subject,
		Personalizations: []*mail.Personalization{p},
		Headers:          e.Headers, Categories: e.Categories, TemplateID: e.TemplateID,
		CustomArgs: customArgs(e, env), IPPoolID: e.IPPool,
	}
	if m.IPPoolID == "" {
		m.IPPoolID = pool
	}
	if e.ReplyTo != "" {
		m.ReplyTo = mail.NewEmail("", e.ReplyTo)
	}
	if e.ASMGroupID != 0 {
		m.Asm = &mail.Asm{GroupID: e.ASMGroupID}
	}
	if e.Text != "" {
		m.Content = append(m.Content, mail.NewContent("text/plain", e.Text)) // must come before text/html
	}
	if e.HTML != "" {
		m.Content = append(m.Content, mail.NewContent("text/html", e.HTML))
	}
	return m, nil
}

func emails(addresses []job.Address) []*mail.Email {
	var list []*mail.Email
	for _, a := range addresses {
		list = append(list, mail.NewEmail(a.Name, a.Email))
	}
	return list
}

// customArgs come back on each of the mail's events. Ours win over a caller's of the same name. An email that was queued
// before ArgFold took room may have none left for it.
func customArgs(e *job.Email, env string) map[string]string {
	args := make(map[string]string, len(e.UniqueArgs)+4)
	for k, v := range e.UniqueArgs {
		args[k] = v
	}
	delete(args, job.ArgFold)
	args[job.ArgStatsID], args[job.ArgEnvID] = string(e.ID), env
	size := e.ArgsSize()
	if size <= job.MaxArgs {
		args[job.ArgFold] = e.Fold()
	}
	if e.TraceParent != "" && size+len(`,"`+job.ArgTrace+`":""`)+len(e.TraceParent) <= job.MaxArgs {
		args[job.ArgTrace] = e.TraceParent
	}
	return args
}

// setTemplateData puts the data where the template looks for it: dynamic templates (d-…) take any JSON, legacy ones
// take strings.
func setTemplateData(p *mail.Personalization, e *job.Email) error {
	if len(e.TemplateData) == 0 {
		return nil
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.TemplateData, &data); err != nil {
		return fmt.Errorf("templateData of mail %s is not a JSON object: %w", e.ID, err)
	}
	if !strings.HasPrefix(e.TemplateID, "d-") {
		p.Substitutions = make(map[string]string, len(data))
		for k, raw := range data {
			p.Substitutions[k] = plain(raw)
		}
		return nil
	}
	p.DynamicTemplateData = make(map[string]any, len(data))
	for k, raw := range data {
		p.DynamicTemplateData[k] = raw // numbers keep their digits
	}
	return nil
}

// plain is a JSON value as text: a string without its quotes, anything else as it is written.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// marshal is json.Marshal without the escaping of HTML.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
