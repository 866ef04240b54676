// Package console is the operator's site: how the queues stand, what became of a mail, what died and why. It talks only
// to okq and the store, so it runs anywhere beside them, and it keeps nothing but an hour of samples in memory.
//
// A request passes, from the outside in: the policies of internal/web (nothing loads from elsewhere, no POST from other
// sites), the login, and for POSTs the check that the user may change things. What a user changes is logged with the
// user's name.
package console
