package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

func ExampleSandbox() {
	s, err := sandbox.New(sandbox.Config{ListenAddr: "127.0.0.1:0"}, zerolog.Nop())
	if err != nil {
		panic(err)
	}
	if err := s.Listen(); err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()

	req, _ := http.NewRequest(http.MethodPost, s.URL()+"/v3/mail/send", strings.NewReader(`{
		"personalizations": [{"to": [{"email": "alex@example.com"}], "custom_args": {"pmStatsID": "6920d5c40000000000000001"}}],
		"from": {"email": "shop@example.com"},
		"subject": "Your order",
		"content": [{"type": "text/plain", "value": "Thank you."}]
	}`))
	req.Header = http.Header{"Authorization": {"Bearer SG.any"}, "Content-Type": {"application/json"}, "Accept": {"*/*"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()

	fmt.Println(resp.StatusCode, s.Mails()[0].Subject(), s.Accepted("6920d5c40000000000000001"))
	stop()
	fmt.Println(<-done)
	// Output:
	// 202 Your order 1
	// <nil>
}
