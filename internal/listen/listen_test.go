package listen_test

import (
	"testing"

	"github.com/levenlabs/postmaster/internal/listen"
)

func TestOnlyLoopbackAddressesAreLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true, "LocalHost.": true, "a.localhost": true,
		"::1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, ":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "localhost.example:80": false,
		"127.0.0.1.example": false, "notlocalhost:80": false,
	} {
		if got := listen.IsLoopback(addr); got != want {
			t.Errorf("%q: %v, want %v", addr, got, want)
		}
	}
}

func TestAListenerWithoutACredentialIsExposedBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen.Listener
		exposed bool
	}{
		{listen.Listener{Addr: ":80"}, true},
		{listen.Listener{Addr: "[::]:80"}, true},
		{listen.Listener{Addr: ":80", Protected: true}, false},
		{listen.Listener{Addr: "127.0.0.1:80"}, false},
		{listen.Listener{Addr: ""}, false},
	} {
		if got := c.Exposed(); got != c.exposed {
			t.Errorf("%+v: exposed %v", c.Listener, got)
		}
	}
}
