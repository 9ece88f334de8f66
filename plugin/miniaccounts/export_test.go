package miniaccounts

import "context"

// Identify gives the user of some credentials, or why they are nobody's.
func (srv *Server) Identify(ctx context.Context, username, token string) (string, error) {
	a, err := srv.admit(ctx, username, token)
	if err != nil {
		return "", err
	}
	a.user.release()
	return a.name, nil
}

// InMemory is the number of users in memory.
func (srv *Server) InMemory() int { return len(srv.users.all()) }

// DecodeTokens reads the value that a user has in the store, and writes it
// again.
func DecodeTokens(value string) (again string, err error) {
	d, err := decode(value)
	return encode(d), err
}
