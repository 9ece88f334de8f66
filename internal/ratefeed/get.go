package ratefeed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// MaxDocument is the longest document that is read, in bytes.
	MaxDocument = 1 << 20
	// Timeout is how long one request may take, with its answer.
	Timeout = 30 * time.Second
	// maxRedirects is how often a request follows a redirect.
	maxRedirects = 3
)

// Request is a document to get over HTTP.
type Request struct {
	url    *url.URL
	header http.Header
	client *http.Client
}

// NewRequest returns a request for a URL with the given headers. client may
// be nil, for http.DefaultClient. Redirects are followed only within the
// host, because headers carry keys, and never from HTTPS to HTTP.
func NewRequest(client *http.Client, address string, header map[string]string) (*Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		// The error would quote the URL, which may hold a key.
		return nil, errors.New("URL that does not parse: want one such as https://rates.example/latest.json")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("URL %q: want one such as https://rates.example/latest.json", redact(u))
	}
	r := &Request{url: u, header: make(http.Header)}
	for name, value := range header {
		if name == "" || strings.ContainsAny(name, " \r\n:") || strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("header %q: want a name and a value of one line", name)
		}
		r.header.Set(name, value)
	}
	if client == nil {
		client = http.DefaultClient
	}
	ours := *client
	theirs := client.CheckRedirect
	ours.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if err := checkRedirect(req, via); err != nil || theirs == nil {
			return err
		}
		return theirs(req, via)
	}
	r.client = &ours
	return r, nil
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("redirected more than %d times", maxRedirects)
	case req.URL.Host != first.Host:
		return fmt.Errorf("redirected to another host, %s: want its own URL in the configuration", req.URL.Host)
	case first.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("redirected from HTTPS to HTTP")
	}
	return nil
}

// Get gets the document and has it parsed. Errors name the URL, without its
// query, which may hold a key.
func (r *Request) Get(ctx context.Context, parse func(io.Reader) (Quotes, error)) (Quotes, error) {
	quotes, err := r.get(ctx, parse)
	if err != nil {
		return Quotes{}, fmt.Errorf("%s: %w", redact(r.url), err)
	}
	return quotes, nil
}

func (r *Request) get(ctx context.Context, parse func(io.Reader) (Quotes, error)) (Quotes, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Timeout, fmt.Errorf("no answer in %v", Timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return Quotes{}, errors.New("no request can be made for this URL")
	}
	maps.Copy(request.Header, r.header)
	response, err := r.client.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return Quotes{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Quotes{}, fmt.Errorf("status %d %s: want 200 OK", response.StatusCode, http.StatusText(response.StatusCode))
	}
	body := bufio.NewReader(&bounded{from: response.Body, left: MaxDocument})
	if err := sniff(body); err != nil {
		return Quotes{}, causeOr(ctx, err)
	}
	quotes, err := parse(body)
	if err != nil {
		return Quotes{}, causeOr(ctx, err)
	}
	return quotes, nil
}

// causeOr returns why ctx is done, or err while it is not.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// sniff recognizes what is no document at all by how it begins.
func sniff(body *bufio.Reader) error {
	start, err := body.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\ufeff")), " \t\r\n")
	if len(start) == 0 {
		return errors.New("the answer is empty")
	}
	for _, page := range []string{"<!doctype html", "<html"} {
		if len(start) >= len(page) && strings.EqualFold(string(start[:len(page)]), page) {
			return errors.New("the answer is an HTML page")
		}
	}
	return nil
}

// bounded reads at most so many bytes, and fails at the next one.
type bounded struct {
	from io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if n > b.left {
		n, err = b.left, fmt.Errorf("the answer is longer than %d bytes", MaxDocument)
	}
	b.left -= n
	return n, err
}

// redact returns a URL without what may be secret in it.
func redact(u *url.URL) string {
	shown := *u
	shown.User = nil
	shown.Fragment, shown.RawFragment = "", ""
	if shown.RawQuery != "" {
		shown.RawQuery = "..."
	}
	return shown.String()
}
