package mailsend

import "strings"

// Issue is one element of the errors array in SendGrid's answers.
type Issue struct {
	Message string  `json:"message"`
	Field   *string `json:"field"`
	Help    any     `json:"help"`
}

// maxIssues bounds the answer to a body with a fault in every element.
const maxIssues = 100

const helpPage = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#"

// General is an issue about no field in particular.
func General(message string) Issue { return Issue{Message: message} }

func fieldIssue(path, message string) Issue {
	return Issue{Message: message, Field: &path, Help: helpPage + helpAnchor(path)}
}

// helpAnchor is the section of SendGrid's errors page about a field:
// personalizations.0.to.1.email is explained at message.personalizations.to.
func helpAnchor(path string) string {
	if path == "personalizations" {
		return "-Personalizations-Errors"
	}
	anchor := "message"
	for part := range strings.SplitSeq(path, ".") {
		if part == "email" || part == "name" || strings.Trim(part, "0123456789") == "" {
			continue
		}
		anchor += "." + part
	}
	return anchor
}
