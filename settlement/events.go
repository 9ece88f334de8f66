package settlement

import (
	"context"
	"log/slog"
	"math/bits"
	"sync/atomic"
)

// events counts something that others bring about, as often as they like.
type events struct{ n atomic.Uint64 }

// warn counts one more, and writes the first, and one each time that their
// number has doubled.
func (e *events) warn(log *slog.Logger, message string, attrs ...slog.Attr) {
	if n := e.n.Add(1); bits.OnesCount64(n) == 1 {
		log.LogAttrs(context.Background(), slog.LevelWarn, message, append(attrs, slog.Uint64("times", n))...)
	}
}
