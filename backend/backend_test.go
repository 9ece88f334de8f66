package backend_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/interledger-go/connector/backend"
)

func TestNotReadyIsNoRate(t *testing.T) {
	wrapped := fmt.Errorf("rates of yesterday: %w", backend.ErrNotReady)
	if !errors.Is(wrapped, backend.ErrNotReady) || !errors.Is(wrapped, backend.ErrNoRate) {
		t.Errorf("%v is not both ErrNotReady and ErrNoRate", wrapped)
	}
	if errors.Is(backend.ErrNoRate, backend.ErrNotReady) {
		t.Error("ErrNoRate is ErrNotReady: every missing pair looks as if it would come")
	}
}
