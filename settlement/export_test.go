package settlement

import "net/url"

// SplitPath reads the path of a request.
func SplitPath(path string) (id, what string, ok bool) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return "", "", false
	}
	return splitPath(u)
}
