package faults

import (
	"net/http"
	"slices"
	"strings"
)

// Fault is a way to go wrong.
type Fault string

// The faults. All but Latency end the request; those named accept-… take the
// mail first, so that it is sent although the client does not learn so.
const (
	None          Fault = ""
	Latency       Fault = "latency"     // the answer is late; the mail is treated as usual
	BadRequest    Fault = "400"         // "Does not contain a valid address."
	WrongKey      Fault = "401"         // the key is invalid, expired, or revoked
	NoCredits     Fault = "401-credits" // "Maximum credits exceeded"
	Blocked       Fault = "403"         // temporarily blocked after repeated bad requests
	WrongSender   Fault = "403-sender"  // from is not a verified sender identity
	TooLarge      Fault = "413"         // nginx HTML
	TooMany       Fault = "429"         // with X-RateLimit-Reset
	ServerError   Fault = "500"
	BadGateway    Fault = "502"
	Unavailable   Fault = "503"
	GatewayTime   Fault = "504"
	Refuse        Fault = "refuse"  // a status and a message of your choice, as JSON or a proxy's page
	Garbage       Fault = "garbage" // a status of your choice and a body that is no JSON
	Hang          Fault = "hang"    // no answer until the client gives up
	Reset         Fault = "reset"   // TCP RST instead of an answer
	AcceptReset   Fault = "accept-reset"
	AcceptHang    Fault = "accept-hang"
	AcceptError   Fault = "accept-500"
	AcceptGateway Fault = "accept-504"
)

// All lists them in the order of a menu.
func All() []Fault {
	return []Fault{
		Latency, TooMany, ServerError, BadGateway, Unavailable, GatewayTime, Hang, Reset,
		AcceptReset, AcceptHang, AcceptError, AcceptGateway,
		WrongKey, NoCredits, Blocked, WrongSender, BadRequest, TooLarge, Refuse, Garbage,
	}
}

func (f Fault) known() bool { return slices.Contains(All(), f) }

// Accepts tells whether the mail is taken before things go wrong.
func (f Fault) Accepts() bool { return strings.HasPrefix(string(f), "accept-") }

// Status is the HTTP status a fault answers with; 0 when it answers nothing.
func (f Fault) Status() int {
	switch f {
	case BadRequest:
		return http.StatusBadRequest
	case WrongKey, NoCredits:
		return http.StatusUnauthorized
	case Blocked, WrongSender, Refuse:
		return http.StatusForbidden
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany:
		return http.StatusTooManyRequests
	case ServerError, AcceptError, Garbage:
		return http.StatusInternalServerError
	case BadGateway:
		return http.StatusBadGateway
	case Unavailable:
		return http.StatusServiceUnavailable
	case GatewayTime, AcceptGateway:
		return http.StatusGatewayTimeout
	}
	return 0
}
