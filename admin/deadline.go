package admin

import (
	"io"
	"net/http"
	"time"
)

// What a client may take its time for, where the server can tell. Who takes
// longer loses its connection, so that no number of such clients keeps others
// out.
const (
	// bodyTimeout is for the whole body of a request, once somebody reads it.
	bodyTimeout = 10 * time.Second
	// answerTimeout is for reading an answer; eventTimeout is that of a stream.
	answerTimeout = 30 * time.Second
)

// timedBody is a body that comes in time, or not at all.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	timed   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if !b.timed {
		b.timed = b.control.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.timed {
		// The request may take longer than its body: net/http would take the
		// deadline for the end of its client.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// beginAnswer bounds the time in which the answer is read.
func beginAnswer(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
}
