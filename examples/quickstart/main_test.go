package main

import (
	"context"
	"testing"
	"time"
)

// Both modes run to their end and say that they went well.
func TestQuickstart(t *testing.T) {
	if err := run(t.Context(), "127.0.0.1:0", "0.01", false); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := run(ctx, "127.0.0.1:0", "0", true); err != nil {
		t.Error(err)
	}
}

// A mistake on the command line is an error that says what is wrong.
func TestQuickstartRefusesSpread(t *testing.T) {
	if err := run(t.Context(), "127.0.0.1:0", "1.5", false); err == nil {
		t.Error("a spread of 1.5 was taken")
	}
}
