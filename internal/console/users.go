package console

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// An account is a line of the users file: NAME:ROLE:HASH, the hash as bcrypt writes it. Empty lines and those that begin
// with # are skipped. `postmaster console passwd` writes the file.
type account struct {
	name string
	role role
	hash string
}

func (a account) line() string { return a.name + ":" + string(a.role) + ":" + a.hash }

// parseAccounts reads a users file.
func parseAccounts(text []byte) ([]account, error) {
	var accounts []account
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("line %d is not NAME:ROLE:HASH", n)
		}
		a := account{parts[0], role(parts[1]), parts[2]}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if seen[a.name] {
			return nil, fmt.Errorf("line %d: %q is there twice", n, a.name)
		}
		seen[a.name] = true
		accounts = append(accounts, a)
	}
	return accounts, lines.Err()
}

func (a account) check() error {
	if err := checkUserName(a.name); err != nil {
		return err
	}
	if a.role != operator && a.role != reader {
		return fmt.Errorf("role must be %s or %s, not %q", operator, reader, a.role)
	}
	if _, err := bcrypt.Cost([]byte(a.hash)); err != nil {
		return errors.New("the hash is not one of bcrypt's")
	}
	return nil
}

func checkUserName(name string) error {
	if name == "" || len(name) > maxUserName || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r == '#' || r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("a user's name has 1 to %d bytes, without spaces, colons and #", maxUserName)
	}
	return nil
}

// users are the accounts of a file, which is read again when it changes. A file that cannot be read leaves them as they
// are.
type users struct {
	path string

	mu      sync.Mutex // protects the fields below
	read    time.Time  // modification time of what was read
	looked  time.Time
	byName  map[string]account
	failure error // of the latest reading
}

// lookEvery is how long a change of the file may go unseen.
const lookEvery = 2 * time.Second

func openUsers(path string) (*users, error) {
	u := &users{path: path}
	u.loadLocked()
	if u.failure == nil && len(u.byName) == 0 {
		u.failure = fmt.Errorf("%s has no user: postmaster console passwd --console-users-file %s NAME", path, path)
	}
	if u.failure != nil {
		return nil, fmt.Errorf("--console-users-file: %w", u.failure)
	}
	return u, nil
}

func (u *users) loadLocked() {
	u.looked = time.Now()
	info, err := os.Stat(u.path)
	if err != nil {
		u.failure = err
		return
	}
	if u.byName != nil && u.failure == nil && info.ModTime().Equal(u.read) {
		return
	}
	text, err := os.ReadFile(u.path)
	if err != nil {
		u.failure = err
		return
	}
	accounts, err := parseAccounts(text)
	if u.failure = err; err != nil {
		return
	}
	u.read, u.byName = info.ModTime(), make(map[string]account, len(accounts))
	for _, a := range accounts {
		u.byName[a.name] = a
	}
}

// find returns an account, and why the file could not be read lately, if so.
func (u *users) find(name string) (a account, ok bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Since(u.looked) >= lookEvery {
		u.loadLocked()
	}
	a, ok = u.byName[name]
	return a, ok, u.failure
}

// nobodyHash is compared with the password of a name that is unknown, so that the time taken tells nothing.
var nobodyHash = sync.OnceValue(func() []byte {
	hash, err := bcrypt.GenerateFromPassword([]byte("nobody"), bcrypt.DefaultCost)
	if err != nil {
		panic(err) // only a password that is too long fails
	}
	return hash
})

// matches reports whether it is the account's password. It takes some 50 ms of CPU.
func (a account) matches(password string) bool {
	if a.hash == "" {
		bcrypt.CompareHashAndPassword(nobodyHash(), []byte(password)) //nolint:errcheck // for its time
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(a.hash), []byte(password)) == nil
}

// SetPassword writes a user with a password into a users file, in the place of one of that name. The role of a user
// that is there stays if role is empty; new users are read-only then.
func SetPassword(path, name, wantedRole, password string) error {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--console-users-file: %w", err)
	}
	accounts, err := parseAccounts(text)
	if err != nil {
		return fmt.Errorf("--console-users-file: %s: %w", path, err)
	}
	if len(password) < minPassword || len(password) > maxBcrypt {
		return fmt.Errorf("a password has %d to %d bytes", minPassword, maxBcrypt)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	set := account{name, role(wantedRole), string(hash)}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	at := -1
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), name+":") {
			at = i
		}
	}
	for _, a := range accounts {
		if a.name == name && set.role == "" {
			set.role = a.role
		}
	}
	if set.role == "" {
		set.role = reader
	}
	if err := set.check(); err != nil {
		return err
	}
	switch {
	case at >= 0:
		lines[at] = set.line()
	case len(text) == 0:
		lines = []string{set.line()}
	default:
		lines = append(lines, set.line())
	}
	return replaceFile(path, strings.Join(lines, "\n")+"\n")
}

// maxBcrypt is the longest password that bcrypt looks at as a whole.
const maxBcrypt = 72

// replaceFile writes a file so that readers see the old one or the new one whole.
func replaceFile(path, text string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
