// Package unsubscribe makes and checks the links of one-click unsubscribe (RFC 8058). pm-worker puts them into the
// headers of mails, pm-hooks serves them.
//
// A link carries a token that says who opts out of what, sealed with a secret that both processes know. Nothing is
// stored for it, and it never expires: a mail may lie unread for years.
package unsubscribe
