package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// files are the page: what the browser runs is what is written here.
//
//go:embed page/* openapi.json
var files embed.FS

func (h *Handler) index(w http.ResponseWriter, r *http.Request) error {
	return serveFile(w, r, "page/index.html")
}

func (h *Handler) pageFile(w http.ResponseWriter, r *http.Request) error {
	return serveFile(w, r, "page/"+path.Base("/"+r.PathValue("file")))
}

func (h *Handler) openAPI(w http.ResponseWriter, r *http.Request) error {
	return serveFile(w, r, "openapi.json")
}

// serveFile serves a file that a browser may keep as long as it is the same.
func serveFile(w http.ResponseWriter, r *http.Request, name string) error {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return problemf(http.StatusNotFound, "there is no %s", r.URL.Path)
	}
	hash := sha256.Sum256(content)
	w.Header().Set("Cache-Control", "no-cache") // ask whether it is the same
	w.Header().Set("ETag", `"`+hex.EncodeToString(hash[:16])+`"`)
	w.Header().Set("Content-Type", contentType(name))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	return nil
}

// contentType does not depend on what the machine knows of names.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
