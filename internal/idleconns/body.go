package idleconns

import (
	"net/http"
	"time"
)

// UnwantedBodyTimeout is how long a body is waited for whose request has been
// answered without it.
const UnwantedBodyTimeout = time.Second

// EndBodies is h for a server of connections that may be hostile: what h leaves
// of the body of a request is waited for no longer than UnwantedBodyTimeout,
// and then the connection is closed. net/http reads it before the answer
// leaves, for as long as its ReadTimeout allows, and such a connection counts
// as one with a request that is being handled: who is refused could keep any
// number of them.
func EndBodies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := r.Body // h may put another in its place
		h.ServeHTTP(w, r)
		// HTTP/2 ends the stream; and a client that asks whether it shall send a
		// body is not told to by now.
		if r.ContentLength == 0 || r.ProtoMajor != 1 || r.Header.Get("Expect") != "" {
			return
		}
		if r.ContentLength > 0 {
			if _, err := body.Read(nil); err == nil { // it has no end yet
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(UnwantedBodyTimeout))
			}
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(UnwantedBodyTimeout)) // to look for the end of chunks may take a read
		if _, err := body.Read(nil); err != nil {
			_ = control.SetReadDeadline(time.Time{})
		}
	})
}
