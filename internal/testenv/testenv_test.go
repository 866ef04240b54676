package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// recorder is a testing.TB that remembers how it was ended instead of ending the real test.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (*recorder) Helper() {}
func (r *recorder) Skip(args ...any) {
	r.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) { r.Skip(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs f as a test would run, in a goroutine it may end.
func record(f func(testing.TB)) *recorder {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

func TestMissingServiceSkipsWithAHint(t *testing.T) {
	t.Setenv("CI", "")
	for name, get := range getters() {
		t.Setenv(name, "")
		r := record(get)
		if !strings.Contains(r.skipped, name) || !strings.Contains(r.skipped, "make services") || r.failed != "" {
			t.Errorf("%s: skipped %q, failed %q; want a skip that names the variable and `make services`", name, r.skipped, r.failed)
		}
	}
}

func TestMissingServiceFailsInCI(t *testing.T) {
	t.Setenv("CI", "true")
	for name, get := range getters() {
		t.Setenv(name, "")
		r := record(get)
		if r.skipped != "" || !strings.Contains(r.failed, name) {
			t.Errorf("%s: skipped %q, failed %q; want a failure that names the variable", name, r.skipped, r.failed)
		}
	}
}

func getters() map[string]func(testing.TB) {
	return map[string]func(testing.TB){
		"PM_TEST_REDIS":        func(tb testing.TB) { Redis(tb) },
		"PM_TEST_MONGO":        func(tb testing.TB) { Mongo(tb) },
		"PM_TEST_REDIS_SERVER": func(tb testing.TB) { RedisServer(tb) },
		"PM_TEST_CHROMIUM":     func(tb testing.TB) { Chromium(tb) },
	}
}

func TestHeavyRunsOnlyWhenAsked(t *testing.T) {
	for value, wantSkip := range map[string]bool{"": true, "0": true, "1": false, "true": false} {
		t.Setenv("PM_HEAVY", value)
		if got := record(Heavy).skipped != ""; got != wantSkip {
			t.Errorf("PM_HEAVY=%q: skipped = %v, want %v", value, got, wantSkip)
		}
	}
}

func TestWithDatabaseKeepsOptionsAndLogin(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"mongodb://127.0.0.1:27017":                            "mongodb://127.0.0.1:27017/x",
		"mongodb://127.0.0.1:27017/?w=majority":                "mongodb://127.0.0.1:27017/x?w=majority",
		"mongodb://a:1,b/old?replicaSet=rs":                    "mongodb://a:1,b/x?replicaSet=rs",
		"mongodb://me:pw@127.0.0.1:27017":                      "mongodb://me:pw@127.0.0.1:27017/x?authSource=admin",
		"mongodb://me:pw@127.0.0.1:27017/users":                "mongodb://me:pw@127.0.0.1:27017/x?authSource=users",
		"mongodb+srv://me:pw@c.example.net/?authSource=custom": "mongodb+srv://me:pw@c.example.net/x?authSource=custom",
	} {
		got, err := withDatabase(base, "x")
		if err != nil || got != want {
			t.Errorf("withDatabase(%q) = %q, %v; want %q", base, got, err, want)
		}
	}
	if got, err := withDatabase("127.0.0.1:27017", "x"); err == nil {
		t.Errorf("an address that is no URI became %q", got)
	}
}

func TestMongoDatabaseIsOwnAndDroppedAfterwards(t *testing.T) {
	t.Parallel()
	base := require(t, "PM_TEST_MONGO", "a MongoDB server", serverHint)
	client, err := mongo.Connect(options.Client().ApplyURI(base))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })

	var names []string
	t.Run("use", func(t *testing.T) {
		for range 2 {
			uri := Mongo(t)
			name := uri[strings.LastIndex(uri, "/")+1:]
			if _, err := client.Database(name).Collection("c").InsertOne(t.Context(), bson.M{"a": 1}); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
	})
	if names[0] == names[1] {
		t.Fatalf("two calls gave the same database %q", names[0])
	}
	left, err := client.ListDatabaseNames(t.Context(), bson.M{"name": bson.M{"$in": names}})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("databases left behind: %v", left)
	}
}

func TestRedisAnswers(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG" {
		t.Errorf("PING = %q, %v; want +PONG", answer, err)
	}
}

func TestProgramsAreThere(t *testing.T) {
	t.Parallel()
	for name, get := range map[string]func(testing.TB) string{"redis-server": RedisServer, "chromium": Chromium} {
		t.Run(name, func(t *testing.T) {
			path := get(t)
			if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
				t.Errorf("stat %s: %v, %v; want a program", path, info, err)
			}
		})
	}
}

func TestMissingProgramSkipsOrFailsInCI(t *testing.T) {
	none := func(tb testing.TB) { Program(tb, "no-such-program") }
	t.Setenv("CI", "")
	if r := record(none); !strings.Contains(r.skipped, "no-such-program") || r.failed != "" {
		t.Errorf("skipped %q, failed %q", r.skipped, r.failed)
	}
	t.Setenv("CI", "true")
	if r := record(none); !strings.Contains(r.failed, "no-such-program") || r.skipped != "" {
		t.Errorf("in CI: skipped %q, failed %q", r.skipped, r.failed)
	}
}
