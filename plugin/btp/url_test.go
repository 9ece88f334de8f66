package btp_test

import (
	"strings"
	"testing"

	"github.com/interledger-go/connector/plugin/btp"
)

// BTP-41. A URL that cannot be used is reported by Open, by an error that
// says what would be right and holds no piece of a token.
func TestUnusableURLs(t *testing.T) {
	for _, url := range []string{
		"",
		"bob.example",
		"ws://alice:S3CRET@bob.example",
		"wss://alice:S3CRET@bob.example",
		"https://alice:S3CRET@bob.example",
		"btp://alice:S3CRET@bob.example",
		"btp+http://alice:S3CRET@bob.example",
		"btp+ws://",
		"btp+ws:///path",
		"btp+ws:alice:S3CRET@bob.example",
		"btp+ws://alice:S3CRET@",
		"btp+ws://alice:S3CRET@:8080",
		"btp+ws://alice:S3C/RET@bob.example",
		"btp+ws://alice:123/S3CRET@bob.example", // a host alice with port 123, as URLs go
		"btp+ws://alice:123?S3CRET@bob.example",
		"btp+ws://alice:S3C#RET@bob.example",
		"btp+ws://alice:S3C%RET@bob.example",
		"btp+ws://alice:S3CRET@bob.example:port",
		"btp+ws://alice:S3CRET@bob example",
		"btp+ws://alice:S3CRET@[::1",
		"btp+ws://alice:S3CRET\n@bob.example",
	} {
		c := btp.Dial(url)
		err := c.Open(t.Context(), newRecorder(fulfiller))
		if err == nil || !strings.Contains(err.Error(), "btp+wss://user:token@host") {
			t.Errorf("%q: error %v", url, err)
		}
		if err != nil && (strings.Contains(err.Error(), "S3C") || strings.Contains(err.Error(), "RET")) {
			t.Errorf("%q: the error tells: %v", url, err)
		}
		c.Close()
	}
}

// Credentials come from one place.
func TestCredentialsInTwoPlaces(t *testing.T) {
	for _, o := range []btp.ClientOptions{
		{URL: "btp+ws://alice:S3CRET@host", Token: "S3CRET"},
		{URL: "btp+ws://alice:S3CRET@host", Username: "alice"},
		{URL: "btp+ws://alice@host", Token: "S3CRET"},
	} {
		c := btp.NewClient(o)
		if err := c.Open(t.Context(), newRecorder(fulfiller)); err == nil || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("%s: error %v", o.URL, err)
		}
		c.Close()
	}
}
