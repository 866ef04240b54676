-- Takes events of the original okq's into a partition that nobody serves yet.
--
-- KEYS  the partition's, as keys.go lists them
-- ARGV  id, contents and lease of each: its ms; 0: popped, and the lease is over; -1: never popped
-- answers how many of them are new
local ready, since, leased, _, _, contents, deliveries, bounds = unpack(KEYS)
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
		else
			call('ZADD', ready, call('HINCRBY', bounds, 'high', 1), id)
			call('ZADD', since, now, id)
		end
		if lease >= 0 then
			call('HSET', deliveries, id, 1)
		end
	end
end
return new
