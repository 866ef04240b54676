package e2e

import (
	"os"
	"testing"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m)) }
