package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

const largeSize = 29_000_000 // bytes of an attachment in base64; SendGrid takes 30 MB

// largeMail measures by how much pm-api grows with mails of nearly 30 MB, one at a time.
func largeMail(ctx context.Context, path, okqAddr string) error {
	api, err := process.Start("api", path, "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--okq-addr", okqAddr)
	if err != nil {
		return err
	}
	defer api.Stop()
	time.Sleep(time.Second)
	before, err := api.ResidentMiB()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "Postmaster.Enqueue", "params": map[string]any{
		"to": "alex@example.com", "from": "shop@example.org", "subject": "A catalogue", "text": "See the attachment.",
		"attachments": []any{map[string]string{"filename": "catalogue.pdf", "content": strings.Repeat("QUJD", largeSize/4)}},
	}})
	if err != nil {
		return err
	}
	if err := call(ctx, api.Addr, body); err != nil {
		return err
	}
	copies := (float64(api.PeakMiB())-before)/(float64(len(body))/(1<<20)) - 1
	fmt.Printf("\npm-api with a mail of %.1f MB: beside the mail, its memory grows by %.2f copies of it\n", float64(len(body))/1e6, copies)
	return report.Add(report.Line{
		What: "pm-api, copies of a mail of 30 MB in memory", Value: fmt.Sprintf("%.2f", copies), Target: "<= 2", Met: copies <= 2, Why: report.Noise,
	})
}

func call(ctx context.Context, addr string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Contains(answer, []byte(`"success":true`)) {
		err = fmt.Errorf("answer %s", answer)
	}
	return err
}
