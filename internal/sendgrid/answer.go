package sendgrid

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/rest"
)

// What is kept of an answer. SendGrid lists as many faults as it finds.
const (
	maxAnswer  = 64 << 10
	maxErrors  = 20
	maxMessage = 500
)

// listedErrors reads the body of an error that SendGrid wrote.
func listedErrors(resp *rest.Response) []job.ProviderError {
	var body struct {
		Errors []struct {
			Message any `json:"message"`
			Field   any `json:"field"`
		} `json:"errors"`
	}
	if json.Unmarshal([]byte(resp.Body), &body) != nil {
		return nil
	}
	var list []job.ProviderError
	for _, e := range body.Errors[:min(len(body.Errors), maxErrors)] {
		message, _ := e.Message.(string)
		field, _ := e.Field.(string)
		list = append(list, job.ProviderError{Message: clip(message), Field: clip(field), Status: resp.StatusCode})
	}
	return list
}

// providerErrors is what an answer says. It is often not JSON: a 413 is nginx's page.
func providerErrors(resp *rest.Response) []job.ProviderError {
	if list := listedErrors(resp); len(list) > 0 {
		return list
	}
	message := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if text := clip(resp.Body); text != "" {
		message += ": " + text
	}
	return []job.ProviderError{{Message: message, Status: resp.StatusCode}}
}

// clip makes text of a stranger's safe to show and to keep: no control characters, not long.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), maxMessage)], ""))
	return strings.TrimSpace(s)
}
