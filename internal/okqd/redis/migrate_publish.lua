-- Makes the events that were imported the queue's: at once if it has none, else a bounded number, in front of its own.
--
-- KEYS  the imported partition's as keys.go lists them, but for the consumers, then the queue's
-- ARGV  the wake-up channel, the queue's name, how many
-- answers how many are left to do, and how many were there already under their id
local half = #KEYS / 2
local line, ahead, since, leased, _, _, contents, deliveries, bounds = unpack(KEYS)
local _, ownAhead, ownSince, ownLeased, _, _, ownContents, ownDeliveries, ownBounds = unpack(KEYS, half + 1)
local call = redis.call
local limit = tonumber(ARGV[3])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if call('EXISTS', contents) == 0 then
	return { 0, 0 }
end
if call('EXISTS', ownContents) == 0 then
	for i = 1, half do
		if call('EXISTS', KEYS[i]) == 1 then
			call('RENAME', KEYS[i], KEYS[half + i])
		end
	end
	call('PUBLISH', ARGV[1], ARGV[2])
	return { 0, 0 }
end

local there = 0
-- own makes the event the queue's, with add, unless the queue has its id.
local function own(id, add)
	if call('HSETNX', ownContents, id, call('HGET', contents, id)) == 1 then
		add()
		local n = call('HGET', deliveries, id)
		if n then
			call('HSET', ownDeliveries, id, n)
		end
	else
		there = there + 1
	end
	call('HDEL', contents, id)
	call('HDEL', deliveries, id)
end

local function first(id)
	own(id, function()
		call('ZADD', ownAhead, call('HINCRBY', ownBounds, 'low', -1), id)
		call('ZADD', ownSince, now, id)
	end)
end

if call('HEXISTS', bounds, 'large') == 1 then
	call('HSET', ownBounds, 'large', 1)
end
local length = call('LLEN', line)
for _ = 1, math.min(limit, length) do
	first(call('RPOP', line))
end
for _, id in ipairs(length < limit and call('ZREVRANGE', ahead, 0, limit - length - 1) or {}) do
	first(id)
	call('ZREM', ahead, id)
	call('ZREM', since, id)
end
for _, id in ipairs(call('ZRANGE', leased, 0, limit - 1)) do
	own(id, function()
		call('ZADD', ownLeased, call('ZSCORE', leased, id), id)
	end)
	call('ZREM', leased, id)
end
local left = call('HLEN', contents)
if left == 0 then
	call('DEL', unpack(KEYS, 1, half))
end
call('PUBLISH', ARGV[1], ARGV[2])
return { left, there }
