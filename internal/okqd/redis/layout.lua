-- Lets an okqd serve the queues of this Redis, for some time, if it keeps them in as many partitions as they are in.
--
-- KEYS  servers  zset  okqd → when it is taken for dead, in ms
--       layout   hash  partitions of each queue; enters: how often an okqd came; version of what queues look like;
--                      queue-set: the identity of the queues
-- ARGV  the okqd's name, its number of partitions, for how many ms it is to be believed alive, what was answered
--       when it was refused before, if it has found all queues empty since, and the identity to take if there is none
-- answers the number of partitions, how many okqd are alive, what to say next time, and the identity
--
-- The number can be changed only while nobody else is alive and nobody came since the queues were found empty.
local servers, layout = KEYS[1], KEYS[2]
local name, want, ms, found, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local version = '2'

call('ZREMRANGEBYSCORE', servers, '-inf', now)
local have = call('HGET', layout, 'partitions')
if have and call('HGET', layout, 'version') ~= version then
	return redis.error_reply('ERR the queues in this Redis are of another version of okqd')
end
if have and have ~= want then
	local seen = have .. ':' .. (call('HGET', layout, 'enters') or '0')
	local alive = call('ZCARD', servers)
	if found ~= seen or alive > 0 then
		return { tonumber(have), alive, seen, '' }
	end
end
if not call('ZSCORE', servers, name) then
	call('HINCRBY', layout, 'enters', 1)
end
call('HSET', layout, 'partitions', want, 'version', version)
call('HSETNX', layout, 'queue-set', id)
call('ZADD', servers, now + ms, name)
return { tonumber(want), call('ZCARD', servers), '', call('HGET', layout, 'queue-set') }
