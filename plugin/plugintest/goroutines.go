package plugintest

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strconv"
	"time"
)

// goroutineLabel is the key of the profiler label that the goroutines of a
// case inherit from the one that runs it.
const goroutineLabel = "plugintest"

// awaitGoroutines waits until no goroutine has the label, and describes those
// that have it after the timeout. A goroutine that its owner has waited for
// may need a moment to be gone, so that asking once is not enough.
func awaitGoroutines(label string, timeout time.Duration) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, timeout/4) {
		stacks := goroutines(label)
		if stacks == "" {
			return nil
		}
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-deadline.C:
			next.Stop()
			return fmt.Errorf("goroutines are left %v after both plugins were closed; Close waits for the plugin's goroutines:\n%s", timeout, stacks)
		}
	}
}

// goroutines gives the stacks of all goroutines with the label.
func goroutines(label string) string {
	var all, found bytes.Buffer
	// Written to memory, the profile has no error. It is paragraphs, each
	// with a stack and, in JSON, the labels of the goroutines that have it.
	_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
	want := []byte(strconv.Quote(goroutineLabel) + ":" + strconv.Quote(label))
	for stack := range bytes.SplitSeq(all.Bytes(), []byte("\n\n")) {
		if bytes.Contains(stack, want) {
			found.Write(stack)
			found.WriteString("\n\n")
		}
	}
	return found.String()
}
