package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// adminAPI is that of a connector: the JavaScript one's, which ours has too.
type adminAPI struct {
	t    *testing.T
	base string // URL
}

// state is that of the node which has the API.
func (a adminAPI) state() (nodeState, error) {
	var status struct {
		Connected         map[string]bool
		LocalRoutingTable map[string]struct{ NextHop, Path string }
	}
	var routing struct {
		Peers map[string]struct{ Send struct{ Mode string } }
	}
	for path, result := range map[string]any{"/status": &status, "/routing": &routing} {
		if err := a.get(path, result); err != nil {
			return nodeState{}, err
		}
	}
	s := nodeState{
		Routes:    make(map[string]string),
		Paths:     make(map[string]string),
		Connected: status.Connected,
		Taught:    make(map[string]bool),
	}
	for prefix, route := range status.LocalRoutingTable {
		s.Routes[prefix], s.Paths[prefix] = route.NextHop, route.Path
	}
	for id, peer := range routing.Peers {
		s.Taught[id] = peer.Send.Mode == "SYNC"
	}
	return s, nil
}

func (a adminAPI) get(path string, result any) error {
	ctx, cancel := context.WithTimeout(a.t.Context(), callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(result)
}
