// Package groupcommit is what the stores over a server have in common.
//
// Such a store makes one commit at a time, so that a commit whose reply was
// lost cannot come into force after a later one, and a commit costs a sync of
// the server's disk, whatever is in it. A [Queue] makes the two bearable:
// whoever calls while a commit is under way waits, and the batches of all who
// wait go into the next one. [Changes] joins them, and [Grace] bounds how long
// the reply to a commit is waited for.
//
// [Calls] lets such a store end: be closed by its owner, or close itself
// because it can no longer answer for what it holds.
package groupcommit
