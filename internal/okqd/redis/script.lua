-- Carries out ops on one partition of a queue, in order and atomically. Redis refuses a script's first write when it
-- cannot write now, and no later one, so either all is done or nothing.
--
-- KEYS  as keys.go lists them
-- ARGV  the wake-up channel, the queue's name, then the ops: a name and its arguments each
-- answers an array of the ops' results, and last the number of events that are ready
--
-- ready      zset  id → order: the lowest is popped next
-- since      zset  id → when it became ready, in ms
-- leased     zset  id → when the lease ends, in ms
-- delayed    zset  id → when the delay ends, in ms
-- fronts     set   of delayed ids that come back at the front
-- contents   hash  of every event that is not gone
-- deliveries hash  of those that were popped
-- bounds     hash  the lowest and the highest order given
-- consumers  zset  → when it counts no longer, in ms
local ready, since, leased, delayed, fronts, contents, deliveries, bounds, consumers = unpack(KEYS)
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local idle = call('ZCARD', ready) == 0

local at = 3
local function arg()
	at = at + 1
	return ARGV[at - 1]
end

-- What is done to many events costs little more than what is done to one, if it is one call. So consecutive ops of
-- these names are taken together: runs[name]() answers an array, a result for each. again begins the next of them.
local runs = {}
local function again(name)
	if ARGV[at] ~= name then
		return false
	end
	at = at + 1
	return true
end

-- put makes ids ready, one behind the other at the back, or one before the other at the front.
local function put(ids, front)
	if #ids == 0 then
		return
	end
	local order, step
	if front then
		order, step = call('HINCRBY', bounds, 'low', -#ids) + #ids, -1
	else
		order, step = call('HINCRBY', bounds, 'high', #ids) - #ids, 1
	end
	local orders, times = {}, {}
	for i, id in ipairs(ids) do
		orders[2 * i - 1], orders[2 * i] = order + i * step, id
		times[2 * i - 1], times[2 * i] = now, id
	end
	call('ZADD', ready, unpack(orders))
	call('ZADD', since, unpack(times))
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
		put(ended, true)
	end
	for _, id in ipairs(call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 500)) do
		call('ZREM', delayed, id)
		put({ id }, call('SREM', fronts, id) == 1)
	end
end

local function forget(ids)
	call('HDEL', deliveries, unpack(ids))
	if call('EXISTS', contents) == 0 then
		call('DEL', bounds)
	end
end

local function take(ids)
	call('ZREM', ready, unpack(ids))
	call('ZREM', since, unpack(ids))
end

local ops = {}

-- push id contents delay-ms front: 1, 0 if there is such an event, or an error
function runs.push()
	local pushes, ids = {}, {}
	repeat
		local p = { id = arg(), data = arg(), ms = tonumber(arg()), front = arg() == '1' }
		pushes[#pushes + 1], ids[#ids + 1] = p, p.id
	until not again('push')
	local known, results = call('HMGET', contents, unpack(ids)), {}
	local fields, new, backs, heads, late = {}, {}, {}, {}, {}
	for i, p in ipairs(pushes) do
		results[i] = 0
		if not known[i] and not new[p.id] then
			results[i], new[p.id] = 1, true
			fields[#fields + 1] = p.id
			fields[#fields + 1] = p.data
			local list = p.ms > 0 and late or p.front and heads or backs
			list[#list + 1] = p.ms > 0 and p or p.id
		end
	end
	if #fields == 0 then
		return results
	end
	local done = redis.pcall('HSET', contents, unpack(fields))
	if type(done) == 'table' then
		if not string.find(done.err, 'OOM', 1, true) then
			call('HSET', contents, unpack(fields)) -- fails the same way, and with it the whole call
		end
		for i, result in ipairs(results) do
			results[i] = result == 1 and done.err or 0
		end
		return results
	end
	put(backs, false)
	put(heads, true)
	for _, p in ipairs(late) do
		delay(p.id, p.ms, p.front)
	end
	return results
end

-- peek front: id and contents, or nothing
function ops.peek()
	local i = arg() == '1' and 0 or -1
	local id = call('ZRANGE', ready, i, i)[1]
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
	local popped = tonumber(call('HGET', deliveries, id) or 0)
	return { state, data, popped, due and math.max(due - now, 0) or 0 }
end

-- scan set cursor count: the next cursor, and ids with a number each that does not matter
function ops.scan()
	local set, cursor, count = ({ ready, delayed, leased })[tonumber(arg())], arg(), arg()
	return call('ZSCAN', set, cursor, 'COUNT', count)
end

-- pop count lease-ms bytes: id, contents and deliveries of each; after the first, no more than bytes of contents
function ops.pop()
	local count, lease, room = tonumber(arg()), tonumber(arg()), tonumber(arg())
	local ids = call('ZRANGE', ready, 0, count - 1)
	for i = 2, #ids do
		room = room - call('HSTRLEN', contents, ids[i])
		if room < 0 then
			ids = { unpack(ids, 1, i - 1) }
			break
		end
	end
	if #ids == 0 then
		return {}
	end
	local data, times = call('HMGET', contents, unpack(ids)), call('HMGET', deliveries, unpack(ids))
	local popped, counts, leases = {}, {}, {}
	for i, id in ipairs(ids) do
		local n = tonumber(times[i] or 0) + 1
		popped[3 * i - 2], popped[3 * i - 1], popped[3 * i] = id, data[i], n
		counts[2 * i - 1], counts[2 * i] = id, n
		leases[2 * i - 1], leases[2 * i] = now + lease, id
	end
	take(ids)
	if lease > 0 then
		call('HSET', deliveries, unpack(counts))
		call('ZADD', leased, unpack(leases))
	else
		call('HDEL', contents, unpack(ids))
		forget(ids)
	end
	return popped
end

-- ack id: 1 if it was there, in whatever state
function runs.ack()
	local ids, results = {}, {}
	repeat
		ids[#ids + 1] = arg()
	until not again('ack')
	local all = call('ZREM', leased, unpack(ids)) == #ids
	if all then
		call('HDEL', contents, unpack(ids))
	end
	for i, id in ipairs(ids) do
		results[i] = all and 1 or call('HDEL', contents, id)
		if not all and results[i] == 1 then
			take({ id })
			call('ZREM', delayed, id)
			call('SREM', fronts, id)
		end
	end
	forget(ids)
	return results
end

-- redo id delay-ms release: 1 if it was leased
function ops.redo()
	local id, ms, release = arg(), tonumber(arg()), arg() == '1'
	if call('ZREM', leased, id) == 0 then
		return 0
	end
	if release then
		call('HINCRBY', deliveries, id, -1)
	end
	if ms > 0 then
		delay(id, ms, true)
	else
		put({ id }, true)
	end
	return 1
end

-- touch id lease-ms: 1 if it was leased
function ops.touch()
	local id, lease = arg(), tonumber(arg())
	if call('ZREM', leased, id) == 0 then -- and not ZADD alone, which a full memory refuses
		return 0
	end
	call('ZADD', leased, now + lease, id)
	return 1
end

function ops.flush()
	call('UNLINK', ready, since, leased, delayed, fronts, contents, deliveries, bounds)
	return 1
end

-- status: how many are ready, leased and delayed, how many consumers there are, and the age of the oldest ready one
function ops.status()
	call('ZREMRANGEBYSCORE', consumers, '-inf', now)
	local oldest = call('ZRANGE', since, 0, 0, 'WITHSCORES')[2]
	return {
		call('ZCARD', ready), call('ZCARD', leased), call('ZCARD', delayed), call('ZCARD', consumers),
		oldest and math.max(now - oldest, 0) or 0,
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

advance()
local results = {}
while at <= #ARGV do
	local name = arg()
	if runs[name] then
		for _, result in ipairs(runs[name]()) do
			results[#results + 1] = result
		end
	else
		results[#results + 1] = ops[name]()
	end
end
local left = call('ZCARD', ready)
if idle and left > 0 then
	call('PUBLISH', ARGV[1], ARGV[2])
end
results[#results + 1] = left
return results
