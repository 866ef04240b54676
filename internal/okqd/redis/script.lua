-- Carries out ops on one partition of a queue, in order and atomically. Redis refuses a script's first write when it
-- cannot write now, and no later one, so either all is done or nothing.
--
-- KEYS  as keys.go lists them, and for a move those of the partition to move to behind them
-- ARGV  the wake-up channel, the queue's name, then the ops: a name and its arguments each
-- answers an array of the ops' results, and last a number that is not 0 if events are ready
--
-- line       list  of ready ids that were pushed at the back and not popped yet: the leftmost is next
-- ahead      zset  of ready ids that go before the line, id → order: the lowest is popped next
-- since      zset  id → when it became ready, in ms, of those ahead
-- leased     zset  id → when the lease ends, in ms; the fraction, in microseconds, tells leases apart
-- delayed    zset  id → when the delay ends, in ms
-- fronts     set   of delayed ids that come back at the front
-- contents   hash  of every event that is not gone
-- deliveries hash  id → how many of its leases have ended, of events that came back
-- bounds     hash  low, high: the lowest and highest order given; tail: how many ids have gone into the line;
--                  marked: when the last mark was made; large: some contents are larger than plan.go's smallContents
-- marks      zset  when, in ms → how many had gone into the line before, a new one after 100 ms: it tells since when the line waits
-- consumers  zset  → when it counts no longer, in ms
-- touched    hash  id → token and end of the last lease that was extended, if it is that lease still
--
-- A lease's token is when it was to end as it began, to the microsecond.
local line, ahead, since, leased, delayed, fronts, contents, deliveries, bounds, marks, consumers, touched = unpack(KEYS)
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local micros = time[2] % 1000 -- into the millisecond, one more for each pop of this run
local idle = call('EXISTS', line, ahead) == 0

local at = 3
local function arg()
	at = at + 1
	return ARGV[at - 1]
end

-- mark notes that n ids went into the line now. It forgets the marks of those that have left the line.
local function mark(tail, n)
	local last = call('HGET', bounds, 'marked')
	if last and now < last + 100 then
		return
	end
	call('HSET', bounds, 'marked', now)
	call('ZADD', marks, tail - n, now)
	local oldest = call('ZREVRANGEBYSCORE', marks, tail - call('LLEN', line), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
	if oldest then
		call('ZREMRANGEBYSCORE', marks, '-inf', '(' .. oldest)
	end
end

-- append makes ids ready, one behind the other at the back.
local function append(ids)
	if #ids > 0 then
		call('RPUSH', line, unpack(ids))
		mark(call('HINCRBY', bounds, 'tail', #ids), #ids)
	end
end

-- precede makes ids ready, one before the other at the front.
local function precede(ids)
	local order = call('HINCRBY', bounds, 'low', -#ids) + #ids
	for i, id in ipairs(ids) do
		call('ZADD', ahead, order - i, id)
		call('ZADD', since, now, id)
	end
end

local function delay(id, ms, front)
	call('ZADD', delayed, now + ms, id)
	if front then
		call('SADD', fronts, id)
	end
end

-- advance makes ready what is due, a bounded number at a time so that others get their turn.
local function advance()
	local ended = call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, 500)
	if #ended > 0 then
		call('ZREM', leased, unpack(ended))
		for _, id in ipairs(ended) do
			call('HINCRBY', deliveries, id, 1)
		end
		precede(ended)
	end
	for _, id in ipairs(call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 500)) do
		call('ZREM', delayed, id)
		local put = call('SREM', fronts, id) == 1 and precede or append
		put({ id })
	end
end

-- forget is for ids whose contents are gone.
local function forget(ids)
	if call('EXISTS', deliveries, touched) > 0 then
		call('HDEL', deliveries, unpack(ids))
		call('HDEL', touched, unpack(ids))
	end
	if call('EXISTS', contents) == 0 then
		call('DEL', bounds, marks, touched)
	end
end

-- exact is a time in ms to the microsecond. Such a number is read back as it was written.
local function exact(ms)
	return string.format('%.3f', ms)
end

-- held tells whether an event is leased, and under that token unless it is ''.
local function held(id, token)
	local ends = call('ZSCORE', leased, id)
	if not ends or token == '' then
		return ends
	end
	ends = exact(ends)
	return ends == token or call('HGET', touched, id) == token .. ' ' .. ends
end

local ops = {}

-- store keeps the contents of events, fields being id and contents of each. It answers how many ids are new, or nil and
-- an error if Redis refuses them for want of memory.
local function store(fields)
	local done = redis.pcall('HSET', contents, unpack(fields))
	if type(done) == 'number' then
		return done
	end
	if not string.find(done.err, 'OOM', 1, true) then
		call('HSET', contents, unpack(fields)) -- fails the same way, and with it the whole call
	end
	return nil, done.err
end

-- pushSome is for pushes of which not all are new: of several with one id the first is taken.
local function pushSome(ids, data, known)
	local seen, fresh, fields, results = {}, {}, {}, {}
	for i, id in ipairs(ids) do
		results[i] = 0
		if not known[i] and not seen[id] then
			seen[id], results[i] = true, 1
			fresh[#fresh + 1] = id
			fields[2 * #fresh - 1], fields[2 * #fresh] = id, data[i]
		end
	end
	local err
	if #fresh > 0 then
		err = select(2, store(fields))
	end
	for i, result in ipairs(results) do
		results[i] = result == 1 and err or result
	end
	append(err and {} or fresh)
	return results
end

-- push n large, then n times id contents: puts events at the back. large: 1 if some contents are. It answers n, or an
-- array with 1 for each that was taken, 0 if there is such an event, or an error.
function ops.push()
	local n, large, first = tonumber(arg()), arg() == '1', at
	at = first + 2 * n
	local ids, some = {}, false
	for i = 1, n do
		ids[i] = ARGV[first + 2 * i - 2]
	end
	local known = call('HMGET', contents, unpack(ids))
	for i = 1, n do
		some = some or known[i]
	end
	local done
	if not some then
		done = store({ unpack(ARGV, first, at - 1) })
	end
	if done ~= n then
		local data = {}
		for i = n, 1, -1 do
			data[i] = ARGV[first + 2 * i - 1]
			if done then -- an id is there twice, and has the last one's contents
				call('HSET', contents, ids[i], data[i])
			end
		end
		done = pushSome(ids, data, known)
	else
		append(ids)
	end
	if large and call('EXISTS', contents) == 1 then
		call('HSET', bounds, 'large', 1)
	end
	return done
end

-- place id contents large delay-ms front: the same for one that goes elsewhere
function ops.place()
	local id, data, large, ms, front = arg(), arg(), arg() == '1', tonumber(arg()), arg() == '1'
	if call('HEXISTS', contents, id) == 1 then
		return 0
	end
	local _, err = store({ id, data })
	if err then
		return err
	end
	if large then
		call('HSET', bounds, 'large', 1)
	end
	if ms > 0 then
		delay(id, ms, front)
	else
		precede({ id })
	end
	return 1
end

-- peek front: id and contents, or nothing
function ops.peek()
	local i = arg() == '1' and 0 or -1
	local id, other = call('ZRANGE', ahead, i, i)[1], call('LINDEX', line, i)
	if i == 0 then
		id = id or other
	else
		id = other or id
	end
	if not id then
		return {}
	end
	return { id, call('HGET', contents, id) }
end

-- find id: 0 ready, 1 leased, 2 delayed; contents, deliveries, and the ms until the lease or delay ends; or nothing
function ops.find()
	local id = arg()
	local data = call('HGET', contents, id)
	if not data then
		return {}
	end
	local state, due = 0, nil
	for i, times in ipairs({ leased, delayed }) do
		local at = call('ZSCORE', times, id)
		if at then
			state, due = i, at
		end
	end
	local popped = (call('HGET', deliveries, id) or 0) + (state == 1 and 1 or 0)
	return { state, data, popped, due and math.max(due - now, 0) or 0 }
end

-- scan set cursor count: the next cursor, and ids, but for the line with a number each that does not matter. In the
-- line the cursor is a place counted from its first id ever, so that it stays where it is when others leave.
function ops.scan()
	local set, cursor, count = tonumber(arg()), tonumber(arg()), tonumber(arg())
	if set > 1 then
		return call('ZSCAN', ({ ahead, delayed, leased })[set - 1], ARGV[at - 2], 'COUNT', count)
	end
	local tail = tonumber(call('HGET', bounds, 'tail') or 0)
	local head = tail - call('LLEN', line)
	local from = math.max(cursor, head)
	local ids = call('LRANGE', line, from - head, from - head + count - 1)
	local next = from + #ids
	return { next < tail and string.format('%.0f', next) or '0', ids }
end

-- popAhead takes up to count ids that go before the line, and the number of their deliveries before.
local function popAhead(count, room)
	local ids = call('ZRANGE', ahead, 0, count - 1)
	for i = 2, #ids do
		room = room - call('HSTRLEN', contents, ids[i])
		if room < 0 then
			ids = { unpack(ids, 1, i - 1) }
			break
		end
	end
	if #ids == 0 then
		return ids, {}, {}, room
	end
	call('ZREM', ahead, unpack(ids))
	call('ZREM', since, unpack(ids))
	local counts = call('HMGET', deliveries, unpack(ids))
	for i, n in ipairs(counts) do
		counts[i] = tonumber(n or 0)
	end
	return ids, call('HMGET', contents, unpack(ids)), counts, room
end

-- popLine takes up to count ids from the line. What it reads at once is bounded, and put back if there is no room.
local function popLine(ids, data, count, room)
	local large = call('HGET', bounds, 'large')
	while #ids < count and room >= 0 do
		local next = large and call('LINDEX', line, 0)
		if next and #ids > 0 and call('HSTRLEN', contents, next) > room then
			return
		end
		local some = call('LPOP', line, math.min(count - #ids, large and 1 or 64))
		if not some then
			return
		end
		local theirs, back = call('HMGET', contents, unpack(some)), {}
		for i, id in ipairs(some) do
			if #ids > 0 then
				room = room - #theirs[i]
			end
			if room >= 0 then
				ids[#ids + 1], data[#data + 1] = id, theirs[i]
			else
				table.insert(back, 1, id)
			end
		end
		if #back > 0 then
			call('LPUSH', line, unpack(back))
		end
	end
end

-- pop count lease-ms bytes: ids, their contents, and how often each was delivered before, which is not told of those at
-- the end that never were; the leases' token; after the first, no more than bytes of contents
function ops.pop()
	local count, lease, room = tonumber(arg()), tonumber(arg()), tonumber(arg())
	local ids, data, counts = {}, {}, {}
	local many = call('ZCARD', ahead)
	if many > 0 then
		ids, data, counts, room = popAhead(count, room)
	end
	if #ids == math.min(many, count) then
		popLine(ids, data, count, room)
	end
	if #ids == 0 then
		return {}
	end
	local ends = ''
	if lease > 0 then
		local leases = {}
		ends = exact(now + lease + micros / 1000)
		micros = micros + 1
		for i, id in ipairs(ids) do
			leases[2 * i - 1], leases[2 * i] = ends, id
		end
		call('ZADD', leased, unpack(leases))
	else
		call('HDEL', contents, unpack(ids))
		forget(ids)
	end
	return { ids, data, counts, ends }
end

-- remove makes events gone: their number, or an array with 1 for each that was there, in whatever state
local function remove(ids)
	local n = #ids
	local removed, results = call('ZREM', leased, unpack(ids)), n
	if removed == n then
		call('HDEL', contents, unpack(ids))
	else
		local others = {} -- leased or in the line
		results = {}
		for i, id in ipairs(ids) do
			results[i] = call('HDEL', contents, id)
			if results[i] == 1 and call('ZREM', ahead, id) == 1 then
				call('ZREM', since, id)
			elseif results[i] == 1 and call('ZREM', delayed, id) == 1 then
				call('SREM', fronts, id)
			elseif results[i] == 1 then
				others[#others + 1] = id
			end
		end
		removed = #others - removed -- how many are in the line, where they have to be searched for
		for _, id in ipairs(others) do
			removed = removed > 0 and removed - call('LREM', line, 1, id) or 0
		end
	end
	forget(ids)
	return results
end

-- ack n, then n ids: as remove answers
function ops.ack()
	local n, first = tonumber(arg()), at
	at = first + n
	return remove({ unpack(ARGV, first, at - 1) })
end

-- finish n, then n times id token: n, or an array with 1 for each that was leased under that token
function ops.finish()
	local n, first = tonumber(arg()), at
	at = first + 2 * n
	local ids, seen, mine, results = {}, {}, {}, {}
	for i = 1, n do
		ids[i] = ARGV[first + 2 * i - 2]
	end
	local ends = call('ZMSCORE', leased, unpack(ids))
	for i, id in ipairs(ids) do
		local token = ARGV[first + 2 * i - 1]
		results[i] = 0
		-- Redis prints the same number in other digits than the token has, each version in its own.
		if ends[i] and not seen[id] and (tonumber(ends[i]) == tonumber(token) or held(id, token)) then
			seen[id], mine[#mine + 1], results[i] = true, id, 1
		end
	end
	if #mine > 0 then
		call('ZREM', leased, unpack(mine))
		call('HDEL', contents, unpack(mine))
		forget(mine)
	end
	return #mine == n and n or results
end

-- remove id: 1 if it was there and not leased
function ops.remove()
	local id = arg()
	if call('HEXISTS', contents, id) == 0 or held(id, '') then
		return 0
	end
	remove({ id })
	return 1
end

-- unplace takes an event out of where it waits or is leased.
local function unplace(id)
	if call('ZREM', leased, id) == 1 then
		return
	elseif call('ZREM', ahead, id) == 1 then
		call('ZREM', since, id)
	elseif call('ZREM', delayed, id) == 1 then
		call('SREM', fronts, id)
	else
		call('LREM', line, 1, id)
	end
end

-- keep stores an event's contents: nil, or the error if Redis refuses them for want of memory.
local function keep(id, data)
	local _, err = store({ id, data })
	if not err and #data > 16384 then -- smallContents
		call('HSET', bounds, 'large', 1)
	end
	return err
end

-- await puts an event in its queue, after ms. In the line are only events that were never delivered.
local function await(id, ms)
	local front = call('HEXISTS', deliveries, id) == 1
	if ms > 0 then
		delay(id, ms, front)
	else
		local put = front and precede or append
		put({ id })
	end
end

-- replace id contents delay-ms: 1 if it was there and not leased
function ops.replace()
	local id, data, ms = arg(), arg(), tonumber(arg())
	if call('HEXISTS', contents, id) == 0 or held(id, '') then
		return 0
	end
	local err = keep(id, data)
	if not err then
		unplace(id)
		await(id, ms)
	end
	return err or 1
end

-- aside carries out f on the partition to move to.
local function aside(f)
	local n = #KEYS / 2
	line, ahead, since, leased, delayed, fronts, contents, deliveries, bounds, marks, consumers, touched = unpack(KEYS, n + 1)
	local result = f()
	line, ahead, since, leased, delayed, fronts, contents, deliveries, bounds, marks, consumers, touched = unpack(KEYS, 1, n)
	return result
end

-- move id token newid same contents delay-ms queue: 1 if it was there, leased under the token unless that is '', and is
-- in the other partition now; -1 if an event with newid is there already. same: 1 for the contents as they are.
function ops.move()
	local id, token, newid, same, data, ms, queue = arg(), arg(), arg(), arg() == '1', arg(), tonumber(arg()), arg()
	local old = call('HGET', contents, id)
	if not old or token ~= '' and not held(id, token) then
		return 0
	end
	local result = aside(function()
		if call('HEXISTS', contents, newid) == 1 then
			return -1
		end
		local wasIdle = call('EXISTS', line, ahead) == 0
		local err = keep(newid, same and old or data)
		if err then
			return err
		end
		await(newid, ms)
		if wasIdle and ms == 0 then
			call('PUBLISH', ARGV[1], queue)
		end
		return 1
	end)
	if result == 1 then
		remove({ id })
	end
	return result
end

-- claim id token lease-ms: for a move to another slot, leases an event that is there, and leased under the token unless
-- that is ''. It answers its contents, the lease's token, and the ms of a delay that it had; or nothing.
function ops.claim()
	local id, token, lease = arg(), arg(), tonumber(arg())
	local data = call('HGET', contents, id)
	if not data or token ~= '' and not held(id, token) then
		return {}
	end
	local due = call('ZSCORE', delayed, id)
	if call('ZSCORE', leased, id) then
		call('HINCRBY', deliveries, id, 1)
	end
	local ends = exact(now + lease + micros / 1000)
	micros = micros + 1
	unplace(id)
	call('ZADD', leased, ends, id)
	return { data, ends, due and math.ceil(math.max(due - now, 0)) or 0 }
end

-- redo id token delay-ms release: 1 if it was leased, under that token unless it is ''
function ops.redo()
	local id, token, ms, release = arg(), arg(), tonumber(arg()), arg() == '1'
	if not held(id, token) then
		return 0
	end
	call('ZREM', leased, id)
	if not release then
		call('HINCRBY', deliveries, id, 1)
	end
	if ms > 0 then
		delay(id, ms, true)
	else
		precede({ id })
	end
	return 1
end

-- touch id token lease-ms: 1 if it was leased, under that token unless it is ''
function ops.touch()
	local id, token, lease = arg(), arg(), tonumber(arg())
	local was = held(id, token) and call('ZSCORE', leased, id)
	if not was then
		return 0
	end
	was = exact(was)
	local first, last = string.match(call('HGET', touched, id) or '', '^(%S+) (%S+)$')
	local ends = exact(now + lease + micros / 1000)
	call('ZREM', leased, id) -- and not ZADD alone, which a full memory refuses
	call('ZADD', leased, ends, id)
	call('HSET', touched, id, (last == was and first or was) .. ' ' .. ends)
	return 1
end

function ops.flush()
	call('UNLINK', line, ahead, since, leased, delayed, fronts, contents, deliveries, bounds, marks, touched)
	return 1
end

-- oldest is when the ready event became ready that waits longest, to within 100 ms.
local function oldest()
	local times, length = { call('ZRANGE', since, 0, 0, 'WITHSCORES')[2] }, call('LLEN', line)
	if length > 0 then
		local head = call('HGET', bounds, 'tail') - length
		times[#times + 1] = call('ZREVRANGEBYSCORE', marks, head, '-inf', 'LIMIT', 0, 1)[1]
	end
	return math.min(now, unpack(times))
end

-- status: how many are ready, leased and delayed, how many consumers there are, and the age of the oldest ready one
function ops.status()
	call('ZREMRANGEBYSCORE', consumers, '-inf', now)
	return {
		call('LLEN', line) + call('ZCARD', ahead), call('ZCARD', leased), call('ZCARD', delayed), call('ZCARD', consumers),
		now - oldest(),
	}
end

-- join name ms and leave name: a consumer counts for that long
function ops.join()
	local name, ms = arg(), tonumber(arg())
	call('ZREM', consumers, name) -- a full memory refuses ZADD alone
	call('ZADD', consumers, now + ms, name)
	return 1
end

function ops.leave()
	return call('ZREM', consumers, arg())
end

-- sync writes something, and leaves nothing: a WAIT after a script that wrote nothing says nothing of what others wrote
-- before (Redis 8, Valkey). HDEL first, since a full memory refuses HSET alone.
function ops.sync()
	call('HDEL', bounds, 'sync')
	call('HSET', bounds, 'sync', 1)
	return call('HDEL', bounds, 'sync')
end

advance()
local results = {}
while at <= #ARGV do
	results[#results + 1] = ops[arg()]()
end
local left = call('EXISTS', line, ahead)
if idle and left > 0 then
	call('PUBLISH', ARGV[1], ARGV[2])
end
results[#results + 1] = left
return results
