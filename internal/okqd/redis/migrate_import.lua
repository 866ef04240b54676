-- Takes events of the original okq's into a partition that nobody serves yet.
--
-- KEYS  the partition's, as keys.go lists them
-- ARGV  id, contents and lease of each: its ms; 0: popped, and the lease is over; -1: never popped
-- answers how many of them are new
local line, ahead, since, leased, _, _, contents, deliveries, bounds, marks = unpack(KEYS)
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local new = 0
for i = 1, #ARGV, 3 do
	local id, lease = ARGV[i], tonumber(ARGV[i + 2])
	if call('HSETNX', contents, id, ARGV[i + 1]) == 1 then
		new = new + 1
		if lease > 0 then
			call('ZADD', leased, now + lease, id)
		elseif lease == 0 then
			call('ZADD', ahead, call('HINCRBY', bounds, 'high', 1), id)
			call('ZADD', since, now, id)
			call('HSET', deliveries, id, 1)
		else
			call('RPUSH', line, id)
			if call('HINCRBY', bounds, 'tail', 1) == 1 then
				call('ZADD', marks, 0, now)
			end
		end
		if #ARGV[i + 1] > 16384 then
			call('HSET', bounds, 'large', 1)
		end
	end
end
return new
