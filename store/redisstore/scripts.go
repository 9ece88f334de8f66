package redisstore

import (
	"encoding/binary"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// The scripts. Redis runs each as a whole, or not at all, and puts what it has
// changed in the append-only file as a whole.
//
// KEYS are meta, values and index, ARGV[1] is the owner. The numbers of batches
// are the only ones that Lua reckons with. They are far below 2^53; amounts
// never become numbers, of which Lua has doubles alone.
const (
	// openScript takes the store over. ARGV[2] is the version of the keys.
	openScript = `
local version = redis.call('HGET', KEYS[1], 'version')
if version and tonumber(version) > tonumber(ARGV[2]) then return {'newer', version} end
local entries = redis.call('HLEN', KEYS[2])
if redis.call('ZCARD', KEYS[3]) ~= entries or entries > 0 and not version then return {'torn'} end
redis.call('ZRANGE', KEYS[3], '-', '+', 'BYLEX', 'LIMIT', 0, 1)
if not version then redis.call('HSET', KEYS[1], 'version', ARGV[2], 'batch', '0') end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
return {'ok', redis.call('HGET', KEYS[1], 'batch')}`

	// checkState is the beginning of the others. ARGV[2] is the number of the
	// last batch that has been acknowledged.
	checkState = `
local owner, batch = unpack(redis.call('HMGET', KEYS[1], 'owner', 'batch'))
if not owner or not batch then return {'gone'} end
if owner ~= ARGV[1] then return {'owner'} end
if tonumber(batch) < tonumber(ARGV[2]) then return {'lost', batch} end
`
	// writeScript makes the changes of a batch. ARGV[3] is its number, and
	// greater than all before. What follows are the changes in chunks, as
	// chunks makes them.
	//
	// What a script has changed stays if it fails half-way. So it begins with
	// commands that have no effect, since no key is empty, and that fail where
	// those which follow would: for want of memory, which Redis looks at before
	// the first change alone, of a disk, of the rights of a user, or of keys of
	// the right type. HSET has no such form, and changes the number first,
	// which does no harm by itself.
	//
	// A number that is there already is that of this very batch, which
	// something on the way has sent twice. A greater one means that this batch
	// comes late: it was given up, and others have been written since.
	writeScript = checkState + `
if tonumber(batch) == tonumber(ARGV[3]) then return {'ok', batch} end
if tonumber(batch) > tonumber(ARGV[3]) then return {'late', batch} end
local first = {
	{'ZADD', KEYS[3], 'XX', 0, ''},
	{'ZREM', KEYS[3], ''},
	{'HDEL', KEYS[2], ''},
	{'HSET', KEYS[1], 'batch', ARGV[3]},
}
for _, command in ipairs(first) do
	local result = redis.pcall(unpack(command))
	if type(result) == 'table' and result.err then return {'refused', batch, result.err} end
end
for i = 4, #ARGV do
	local chunk, pos, fields, members = ARGV[i], 2, {}, {}
	if string.sub(chunk, 1, 1) == 'P' then
		while pos <= #chunk do
			local key, value
			key, value, pos = struct.unpack('>I2c0I4c0', chunk, pos)
			fields[#fields + 1] = key
			fields[#fields + 1] = value
			members[#members + 1] = '0'
			members[#members + 1] = key
		end
		if redis.call('HSET', KEYS[2], unpack(fields)) > 0 then
			redis.call('ZADD', KEYS[3], unpack(members))
		end
	else
		while pos <= #chunk do
			members[#members + 1], pos = struct.unpack('>I2c0', chunk, pos)
		end
		redis.call('HDEL', KEYS[2], unpack(members))
		redis.call('ZREM', KEYS[3], unpack(members))
	end
end
return {'ok', ARGV[3]}`

	// getScript gets the value of the key ARGV[3].
	getScript = checkState + `
return {'ok', batch, redis.call('HGET', KEYS[2], ARGV[3])}`

	// pageScript gets keys and values from ARGV[3] to ARGV[4], as ZRANGE BYLEX
	// has them: ARGV[5] of them at most, and no further ones when they have
	// ARGV[6] bytes. The third element says whether there may be more.
	pageScript = checkState + `
local keys = redis.call('ZRANGE', KEYS[3], ARGV[3], ARGV[4], 'BYLEX', 'LIMIT', 0, ARGV[5])
local reply, size = {'ok', batch, '0'}, 0
if #keys == tonumber(ARGV[5]) then reply[3] = '1' end
for i, key in ipairs(keys) do
	local value = redis.call('HGET', KEYS[2], key)
	if not value then return {'torn'} end
	reply[#reply + 1] = key
	reply[#reply + 1] = value
	size = size + #key + #value
	if size >= tonumber(ARGV[6]) and i < #keys then
		reply[3] = '1'
		break
	end
end
return reply`
)

// scripts are what the store sends. None of them is repeated by the client
// when a connection breaks, as commands that only read are.
type scripts struct {
	open, write, get, page *rueidis.Lua
}

func newScripts() scripts {
	return scripts{
		open:  rueidis.NewLuaScript(openScript),
		write: rueidis.NewLuaScript(writeScript),
		get:   rueidis.NewLuaScript(getScript),
		page:  rueidis.NewLuaScript(pageScript),
	}
}

// A chunk is an argument of writeScript: the letter P and puts, each of them a
// key after its length in two bytes and a value after its length in four, or
// the letter D and the keys of deletions. It is closed when it has this many
// changes, which Lua can unpack on its stack, or this many bytes.
const (
	chunkChanges = 1000
	chunkBytes   = 1 << 20
)

// chunks appends the changes of a group to args.
func chunks(args []string, group []*store.Batch) []string {
	puts, deletes := groupcommit.Changes(group)
	args = inChunks(args, 'P', puts)
	return inChunks(args, 'D', deletes)
}

func inChunks(args []string, letter byte, ops []store.Op) []string {
	var chunk []byte
	changes := 0
	for _, op := range ops {
		if changes == chunkChanges || len(chunk) > chunkBytes {
			args = append(args, string(chunk))
			chunk, changes = chunk[:0], 0
		}
		if changes == 0 {
			chunk = append(chunk, letter)
		}
		chunk = binary.BigEndian.AppendUint16(chunk, uint16(len(op.Key)))
		chunk = append(chunk, op.Key...)
		if letter == 'P' {
			chunk = binary.BigEndian.AppendUint32(chunk, uint32(len(op.Value)))
			chunk = append(chunk, op.Value...)
		}
		changes++
	}
	if changes > 0 {
		args = append(args, string(chunk))
	}
	return args
}
