// Package mailsend reads the body of SendGrid's POST /v3/mail/send and is as
// strict about it as SendGrid is.
//
// Parse answers either a mail or the list of issues that SendGrid would put
// in its 400. The rules come from SendGrid's published OpenAPI document and,
// where that is silent (address syntax, byte limits, reserved headers, order
// of content), from its pages about mail/send. The tests hold Parse against
// the document: whatever the document rejects, Parse rejects.
//
// Unknown fields are ignored, as the document allows. Field names are matched
// exactly, which is why the body is not decoded into Go structs:
// encoding/json would take "From" for "from".
package mailsend
