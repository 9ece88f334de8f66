// Package ilphttp is ILP over HTTP (RFC 35): packets as the bodies of HTTP
// requests, in the synchronous form that is deployed and in the asynchronous
// form of the current draft.
package ilphttp
