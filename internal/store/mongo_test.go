package store_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

func TestMongoIsReachedByAddressAndByURI(t *testing.T) {
	t.Parallel()
	uri := testenv.Mongo(t)
	s := storetest.Open(t, store.Config{MongoAddr: uri})
	if s.None() {
		t.Error("an open database is None")
	}
	if err := s.Prefs.SetFlags(t.Context(), "a@example.com", 4, time.Now()); err != nil {
		t.Fatal(err)
	}
	got, err := storetest.Open(t, store.Config{MongoAddr: uri}).Prefs.Flags(t.Context(), []string{"a@example.com"})
	if err != nil || got["a@example.com"] != 4 {
		t.Errorf("Flags = %v, %v; want 4", got, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestUnreachableMongoIsOneClearLine(t *testing.T) {
	t.Parallel()
	addr := closedPort(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for mongoAddr, want := range map[string]string{
		addr:                                "--mongo-addr: " + addr + ": connection refused",
		"mongodb://me:secret@" + addr + "/": "--mongo-addr: " + addr + ": connection refused",
		"mongodb://me:secret@" + silent.Addr().String(): "--mongo-addr: " + silent.Addr().String() + ": ",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := store.Open(t.Context(), store.Config{MongoAddr: mongoAddr}, zerolog.Nop())
			if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Errorf("Open = %v, want %q and no more than a line", err, want)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("Open took %v", took)
			}
		})
	}
}

func TestBadMongoAddrIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		"nonsense", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", ":27017", "127.0.0.1:27017,bad", "http://127.0.0.1:27017",
		"mongodb://", "mongodb://me:sec/ret@127.0.0.1:27017", "mongodb://me:sec:ret@127.0.0.1:27017", "mongodb://me:sec@ret@127.0.0.1:27017",
		"mongodb://me:secret@127.0.0.1:notaport", "mongodb://me:secret@127.0.0.1/?w=-1", "mongodb://me:se%cret@127.0.0.1", "me:secret@127.0.0.1:27017x",
	} {
		cfg := store.Config{MongoAddr: addr}
		err := cfg.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "--mongo-addr: ") {
			t.Errorf("%s: Validate = %v; want it to name --mongo-addr", addr, err)
			continue
		}
		for _, part := range []string{"sec", "ret"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: Validate = %v; it repeats the password", addr, err)
			}
		}
	}
}

func TestGoodMongoAddrsAreTaken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		"", "127.0.0.1:27017", "a:1,b:2", "[::1]:27017", "mongodb://127.0.0.1", "mongodb://me:s%2Fcret@a:1,b:2/mail?replicaSet=rs&w=1",
		"mongodb+srv://me:secret@cluster.example.net/?retryWrites=true",
	} {
		cfg := store.Config{MongoAddr: addr}
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", addr, err)
		}
	}
}
