-- One step on the counters of some subjects: see limits/levels.py for what it means.
--
-- KEYS: five for each subject: state (hash), holds (hash), when holds end, when questions came,
-- when turns end (sorted sets by seconds). ARGV[1]: JSON of the step. Answers a list: the verdict
-- ("ok", "refused", "unseeded"), its details, then for each subject the nine numbers of a level, as
-- text: JSON in Redis rounds numbers of more than 14 digits.

local step = cjson.decode(ARGV[1])
local now = step.now
local KEEP_S = 259200
local FIELDS = {'day_tokens', 'day_nanos', 'month_tokens', 'month_nanos'}

local function whole(number) return string.format('%.0f', number) end
local function seconds(number) return string.format('%.6f', number) end
local function field(key, name) return tonumber(redis.call('HGET', key, name) or '0') end

local function release(s, h, x, name)
  local held = redis.call('HGET', h, name)
  if held then
    local tokens, nanos = string.match(held, '(%d+) (%d+)')
    if tokens ~= '0' then redis.call('HINCRBY', s, 'held_tokens', '-' .. tokens) end
    if nanos ~= '0' then redis.call('HINCRBY', s, 'held_nanos', '-' .. nanos) end
    redis.call('HDEL', h, name)
    redis.call('ZREM', x, name)
  end
end

local function roll(s, h, x, r, t)
  if step.day > field(s, 'day') then
    redis.call('HSET', s, 'day', whole(step.day), 'day_tokens', 0, 'day_nanos', 0)
  end
  if step.month > field(s, 'month') then
    redis.call('HSET', s, 'month', whole(step.month), 'month_tokens', 0, 'month_nanos', 0)
  end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', x, '-inf', seconds(now))) do
    release(s, h, x, name)
  end
  redis.call('ZREMRANGEBYSCORE', r, '-inf', seconds(now - 3600))
  redis.call('ZREMRANGEBYSCORE', t, '-inf', seconds(now))
end

local subjects, unseeded = {}, {}
for place, bounds in ipairs(step.subjects) do
  local at = (place - 1) * 5
  local keys = {KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], KEYS[at + 4], KEYS[at + 5]}
  subjects[place] = {keys = keys, bounds = bounds}
  if redis.call('EXISTS', keys[1]) == 0 then
    if step.op == 'seed' then
      redis.call('HSET', keys[1], 'day', whole(step.day), 'month', whole(step.month))
      for number, when in ipairs(step.requests) do
        redis.call('ZADD', keys[4], seconds(when), 'seed ' .. number)
      end
    else
      unseeded[#unseeded + 1] = whole(place - 1)
    end
  end
end
if #unseeded > 0 then
  return {'unseeded', table.concat(unseeded, ' ')}
end

local function level(keys)
  local s, _, _, r, t = unpack(keys)
  local oldest = redis.call('ZRANGE', r, 0, 0, 'WITHSCORES')
  return {
    redis.call('ZCARD', r), oldest[2] or '0', redis.call('ZCARD', t),
    redis.call('HGET', s, 'day_tokens') or '0', redis.call('HGET', s, 'day_nanos') or '0',
    redis.call('HGET', s, 'month_tokens') or '0', redis.call('HGET', s, 'month_nanos') or '0',
    redis.call('HGET', s, 'held_tokens') or '0', redis.call('HGET', s, 'held_nanos') or '0',
  }
end

local function over(bounds, now_at)
  local turns, requests = bounds.turns_at_once, bounds.requests_per_hour
  if step.enters and turns and tonumber(now_at[3]) >= turns then return 'turns_at_once' end
  if step.question and not step.asked and requests and tonumber(now_at[1]) >= requests then
    return 'requests_per_hour'
  end
  local tokens = tonumber(now_at[8]) + step.sure[1]
  local nanos = tonumber(now_at[9]) + step.sure[2]
  local names = {'tokens_per_day', 'dollars_per_day', 'tokens_per_month', 'dollars_per_month'}
  for _, place in ipairs({1, 3, 2, 4}) do
    local bound = bounds[names[place]]
    local more = place % 2 == 1 and tokens or nanos
    if bound and tonumber(now_at[3 + place]) + more > bound then return names[place] end
  end
  return nil
end

for _, subject in ipairs(subjects) do roll(unpack(subject.keys)) end

if step.op == 'take' then
  for place, subject in ipairs(subjects) do
    -- What is asked for again replaces what was held; a refusal leaves it as it was. A turn that
    -- another process goes on with has its place, and its question was counted.
    local now_at = level(subject.keys)
    if redis.call('ZSCORE', subject.keys[4], step.turn) then now_at[1] = now_at[1] - 1 end
    if redis.call('ZSCORE', subject.keys[5], step.turn) then now_at[3] = now_at[3] - 1 end
    local held = redis.call('HGET', subject.keys[2], step.hold)
    if held then
      local tokens, nanos = string.match(held, '(%d+) (%d+)')
      now_at[8] = whole(tonumber(now_at[8]) - tokens)
      now_at[9] = whole(tonumber(now_at[9]) - nanos)
    end
    local limit = over(subject.bounds, now_at)
    if limit then
      local answer = {'refused', whole(place - 1), limit}
      for _, number in ipairs(now_at) do answer[#answer + 1] = tostring(number) end
      return answer
    end
  end
end

local answer = {'ok'}
for _, subject in ipairs(subjects) do
  local s, h, x, r, t = unpack(subject.keys)
  if step.op == 'take' then
    release(s, h, x, step.hold)
    local tokens, nanos = whole(step.sure[1] + step.most[1]), whole(step.sure[2] + step.most[2])
    redis.call('HSET', h, step.hold, tokens .. ' ' .. nanos)
    redis.call('ZADD', x, seconds(now + step.ttl_s), step.hold)
    redis.call('HINCRBY', s, 'held_tokens', tokens)
    redis.call('HINCRBY', s, 'held_nanos', nanos)
    if step.enters then redis.call('ZADD', t, seconds(now + step.ttl_s), step.turn) end
    if step.question then redis.call('ZADD', r, 'NX', seconds(now), step.turn) end
  elseif step.op == 'settle' then
    release(s, h, x, step.hold)
    for place, name in ipairs(FIELDS) do
      redis.call('HINCRBY', s, name, whole(step.spent[2 - place % 2]))
    end
    if step.leave then redis.call('ZREM', t, step.turn) end
    if step.forget then redis.call('ZREM', r, step.turn) end
  elseif step.op == 'seed' then
    for place, name in ipairs(FIELDS) do
      if step.used[place] > field(s, name) then redis.call('HSET', s, name, whole(step.used[place])) end
    end
  end
  for _, key in ipairs(subject.keys) do redis.call('EXPIRE', key, KEEP_S) end
  for _, number in ipairs(level(subject.keys)) do answer[#answer + 1] = tostring(number) end
end
return answer
