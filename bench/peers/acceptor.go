package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// The two processes of a peer.
const (
	roleAPI    = "api"
	roleWorker = "worker"
)

// play is one of them.
func play(peer, role, queue, post string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if peer == "river" {
		return playRiver(role, ln, queue, post)
	}
	return playAsynq(role, ln, queue, post)
}

func announce(ln net.Listener) {
	fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", ln.Addr())
}

// acceptor takes the same JSON-RPC call as pm-api, and queues the mail in it as it is.
func acceptor(enqueue func(ctx context.Context, mail []byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var call struct{ Params json.RawMessage }
		if err == nil {
			err = json.Unmarshal(body, &call)
		}
		if err == nil {
			err = enqueue(r.Context(), call.Params)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"success":true}}`) //nolint:errcheck // the caller has gone
	})
}
