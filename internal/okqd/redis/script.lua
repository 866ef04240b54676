-- Carries out ops on one queue, in order and atomically.
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

local function put(id, front)
	local order
	if front then
		order = call('HINCRBY', bounds, 'low', -1)
	else
		order = call('HINCRBY', bounds, 'high', 1)
	end
	call('ZADD', ready, order, id)
	call('ZADD', since, now, id)
end

local function delay(id, ms, front)
	call('ZADD', delayed, now + ms, id)
	if front then
		call('SADD', fronts, id)
	end
end

-- advance makes ready what is due, a bounded number at a time so that others get their turn.
local function advance()
	for _, id in ipairs(call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, 500)) do
		call('ZREM', leased, id)
		put(id, true)
	end
	for _, id in ipairs(call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 500)) do
		call('ZREM', delayed, id)
		put(id, call('SREM', fronts, id) == 1)
	end
end

local function forget(id)
	call('HDEL', deliveries, id)
	if call('EXISTS', contents) == 0 then
		call('DEL', bounds)
	end
end

local function take(id)
	call('ZREM', ready, id)
	call('ZREM', since, id)
end

local ops = {}

-- push id contents delay-ms front: 1, 0 if there is such an event, or an error
function ops.push()
	local id, data, ms, front = arg(), arg(), tonumber(arg()), arg() == '1'
	local new = redis.pcall('HSETNX', contents, id, data)
	if type(new) == 'table' then
		return new.err
	end
	if new == 1 then
		if ms > 0 then
			delay(id, ms, front)
		else
			put(id, front)
		end
	end
	return new
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
	local popped = {}
	for _, id in ipairs(call('ZRANGE', ready, 0, count - 1)) do
		if #popped > 0 then
			room = room - call('HSTRLEN', contents, id)
			if room < 0 then
				break
			end
		end
		take(id)
		popped[#popped + 1] = id
		popped[#popped + 1] = call('HGET', contents, id)
		popped[#popped + 1] = call('HINCRBY', deliveries, id, 1)
		if lease > 0 then
			call('ZADD', leased, now + lease, id)
		else
			call('HDEL', contents, id)
			forget(id)
		end
	end
	return popped
end

-- ack id: 1 if it was there, in whatever state
function ops.ack()
	local id = arg()
	if call('HDEL', contents, id) == 0 then
		return 0
	end
	if call('ZREM', leased, id) == 0 then
		take(id)
		call('ZREM', delayed, id)
		call('SREM', fronts, id)
	end
	forget(id)
	return 1
end

-- redo id delay-ms: 1 if it was leased
function ops.redo()
	local id, ms = arg(), tonumber(arg())
	if call('ZREM', leased, id) == 0 then
		return 0
	end
	if ms > 0 then
		delay(id, ms, true)
	else
		put(id, true)
	end
	return 1
end

-- touch id lease-ms: 1 if it was leased
function ops.touch()
	local id, lease = arg(), tonumber(arg())
	if not call('ZSCORE', leased, id) then
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
	call('ZADD', consumers, now + ms, name)
	return 1
end

function ops.leave()
	return call('ZREM', consumers, arg())
end

advance()
local results = {}
while at <= #ARGV do
	results[#results + 1] = ops[arg()]()
end
local left = call('ZCARD', ready)
if idle and left > 0 then
	call('PUBLISH', ARGV[1], ARGV[2])
end
results[#results + 1] = left
return results
