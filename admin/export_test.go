package admin

import "strings"

// Endpoint is what the handler routes, for tests: the role is that of the tags
// of openapi.json.
type Endpoint struct{ Method, Path, Role string }

// Endpoints lists what the handler routes.
func (h *Handler) Endpoints() []Endpoint {
	var all []Endpoint
	for _, e := range h.endpoints() {
		roleName := [...]string{anyone: "public", reader: "read", operator: "operate"}[e.need]
		all = append(all, Endpoint{e.method, strings.TrimSuffix(e.path, "{$}"), roleName})
	}
	return all
}

// Decode is how bodies are read.
func Decode(body []byte, v any) error { return decode(body, v) }

// ParseDifference is how amounts that may be negative are read.
func ParseDifference(text string) (int64, error) { return parseDifference("text", text) }
