// Package redisstore is a store in Redis 6.2 or later, or Valkey: a server
// alone, behind Sentinel, or a cluster, of which it uses one node. The host
// connects with rueidis, as it likes.
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	s, err := redisstore.Open(ctx, client, redisstore.Options{})
//
// # What is in Redis
//
// A store has three keys: a hash of the values, a sorted set of their keys in
// the order of bytes, and a hash that says what version the three are of, who
// owns them, and the number of the last batch. The keys are there twice, which
// costs about a hundred bytes for each beyond key and value. All is in the
// memory of the server, and a batch cannot be larger than its
// client-query-buffer-limit, a gibibyte unless it is changed.
//
// A batch is one script, which Redis runs as a whole, or not at all. Batches
// that are written while another is on its way go into the next script
// together. A Get is a script too. So is a page of a Scan: the visits of a scan
// with no more than a thousand keys and a mebibyte hold up nobody; during a
// longer one the writers of this store wait, so that its pages show one
// instant without the memory for all of them.
//
// # One writer, in order
//
// Each batch that is sent has a number greater than all before it, and the
// script changes nothing unless that is so at the server. That settles four
// things.
//
//   - A batch that was given up, since its reply did not come, and arrives
//     after a later one has no effect.
//   - Something on the way that sends a command twice does no harm. The client
//     does not: it repeats none of the commands that this package uses.
//   - Whoever opens the store becomes its owner. A process that had it open
//     before can write and read nothing any longer: it finds out when it tries,
//     and closes itself with an error that wraps store.ErrClosed.
//   - A server that no longer has what it has acknowledged is found out in the
//     same way: one that has come back empty, or a replica that has taken the
//     place of its primary before it had the last batches. Replication in Redis
//     does not wait for replicas, so a failover may lose batches; the store
//     cannot keep that from happening, but does not go on as if it had not.
//
// # Durable means durable
//
// As it comes, Redis may lose what it has acknowledged. [Open] asks all nodes
// that the client knows for their settings and refuses, with a sentence that
// names them, those under which that is so: it wants appendonly yes,
// appendfsync always, no-appendfsync-on-rewrite no, and a maxmemory-policy that
// evicts nothing of the store. Where the settings cannot be read, as with many
// a server that others manage, it refuses as well. [Options.AllowLoss] accepts
// all that.
//
// The user needs the rights to EVALSHA, EVAL, HGET, HMGET, HSET, HDEL, HLEN,
// ZADD, ZREM, ZCARD, ZRANGE, and CONFIG GET.
package redisstore
