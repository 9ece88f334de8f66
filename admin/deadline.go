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
	// bodyTimeout is for the whole body of a request.
	bodyTimeout = 10 * time.Second
	// answerTimeout is for reading an answer; eventTimeout is that of a stream.
	answerTimeout = 30 * time.Second
)

// beginBody bounds the time in which a body comes, whether or not somebody
// reads it: net/http does, before the answer leaves.
func beginBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil {
		r.Body = &timedBody{r.Body, control}
	}
}

// timedBody is a body that comes in time, or not at all.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
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
