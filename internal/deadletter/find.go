package deadletter

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// likely is how many letters of an email are looked for by their ids: none has died more often unless a machine requeues.
const likely = 64

// Finder looks at events and leaves them in place. *okq.Client is one.
type Finder interface {
	Find(ctx context.Context, queue, id string) (okq.Found, bool, error)
	Scan(ctx context.Context, queue string) iter.Seq2[string, error]
}

// Find returns the event of the letter of that id, or of the newest letter of the email of that id; false when there is
// none up to its 64th. An original okq cannot: ErrNoFind.
func Find(ctx context.Context, client Finder, queue, id string) (okq.Found, bool, error) {
	if job.EmailID(id) != id { // a letter's that is not the first
		return client.Find(ctx, queue, id)
	}
	var founds [likely]okq.Found
	group, ctx := errgroup.WithContext(ctx)
	for i := range founds {
		group.Go(func() error {
			found, ok, err := client.Find(ctx, queue, job.LetterID(id, nil, i+1))
			if ok {
				founds[i] = found
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return okq.Found{}, false, err
	}
	for _, found := range slices.Backward(founds[:]) {
		if found.ID != "" {
			return found, true, nil
		}
	}
	return okq.Found{}, false, nil
}

// scanNewest looks for the newest letter of an email among all, "" if there is none.
func scanNewest(ctx context.Context, client Finder, queue, id string) (newest string, err error) {
	for letter, err := range client.Scan(ctx, queue) {
		if err != nil {
			return "", fmt.Errorf("look for the letter of %s: %w", id, err)
		}
		if job.EmailID(letter) == id && (newest == "" || newer(letter, newest)) {
			newest = letter
		}
	}
	return newest, nil
}

// newer tells which of two letters of one email is: the id with the higher number.
func newer(a, b string) bool {
	return len(a) > len(b) || len(a) == len(b) && a > b
}
