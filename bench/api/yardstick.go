package main

import (
	"io"
	"net"
	"net/http"

	"github.com/levenlabs/postmaster/bench/internal/ceiling"
)

// answer is what the yardstick says, as long as pm-api's.
const answer = `{"jsonrpc":"2.0","id":1,"result":{"success":true,"id":"65f0c0ffee65f0c0ffee65f0"}}`

// serveYardstick prints where it listens the way our programs log it. With okqd it pushes each body there before it
// answers: no pm-api can do less than that.
func serveYardstick(okqd string) error {
	push, err := ceiling.To(okqd)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	announce(ln.Addr())
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		if err := push(r.Context(), body); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
}
