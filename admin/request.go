package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readBody reads the whole body, which is bounded.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, problemf(http.StatusRequestEntityTooLarge, "the body is too large: %d bytes are the most", tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, problemf(http.StatusRequestTimeout, "the body has not come within %v", bodyTimeout)
	}
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return body, nil
}

// readJSON reads the body, one JSON value, into v. Keys that v does not have
// are refused: one that is misspelt would change something else. missing says
// what is wrong with an empty body.
func readJSON(r *http.Request, v any, missing string) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return problemf(http.StatusBadRequest, "%s", missing)
	}
	if err := decode(body, v); err != nil {
		return problemf(http.StatusBadRequest, "the body is not what is expected: %v", err)
	}
	return nil
}

func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON value")
	}
	return nil
}

var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// parseDifference reads an amount that may be negative, as the reference
// writes them.
func parseDifference(field, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if !integer.MatchString(text) || err != nil {
		return 0, problemf(http.StatusBadRequest, `%s is %.40q: it must be a whole number of 64 bits in a string, such as "-100"`, field, text)
	}
	return n, nil
}

// parseAmount reads an amount.
func parseAmount(field, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if !integer.MatchString(text) || err != nil {
		return 0, problemf(http.StatusBadRequest, `%s is %.40q: it must be a whole number of 64 bits, 0 or more, in a string, such as "100"`, field, text)
	}
	return n, nil
}

// parseDuration reads a duration of the query, such as 250ms; standard where
// there is none.
func parseDuration(r *http.Request, name string, standard, least, most time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return standard, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, problemf(http.StatusBadRequest, "%s is %.40q: it must be between %v and %v, such as %v", name, text, least, most, standard)
	}
	return d, nil
}

// page is the part of a list that a request asks for.
type page struct {
	after string // the key of the last one before it; empty: from the beginning
	limit int    // 0: everything
}

func pageOf(r *http.Request) (page, error) {
	query := r.URL.Query()
	p := page{after: query.Get("after")}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return page{}, problemf(http.StatusBadRequest, "limit is %.40q: it must be 1 or more; leave it out for everything", text)
		}
		p.limit = limit
	}
	return p, nil
}

// cut gives the part of a list, which is sorted by key, that p asks for. next is
// the key of its last if there are more.
func cut[T any](p page, list []T, key func(T) string) (part []T, next string) {
	if p.after != "" {
		list = list[firstAfter(list, p.after, key):]
	}
	if p.limit == 0 || len(list) <= p.limit {
		return list, ""
	}
	return list[:p.limit], key(list[p.limit-1])
}

// firstAfter gives the index of the first whose key comes after a key.
func firstAfter[T any](list []T, after string, key func(T) string) int {
	i, found := slices.BinarySearchFunc(list, after, func(v T, after string) int { return strings.Compare(key(v), after) })
	if found {
		i++
	}
	return i
}

// decimal gives a number as the API writes amounts.
func decimal[T int64 | uint64](n T) string { return fmt.Sprint(n) }
