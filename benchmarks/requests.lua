-- What wrk asks for. The environment says which load, as wrk's static request costs it least and is
-- chosen when this file is read:
--   LOAD     same, cycle, random, zipf or cookie
--   OBJECTS  how many different paths; FIRST is the number of the first
--   LIMIT    stop after so many requests, and say so; wrk itself waits for SIGINT; 0 for never

local load = os.getenv("LOAD")
local objects = tonumber(os.getenv("OBJECTS"))
local first = tonumber(os.getenv("FIRST"))
local limit = tonumber(os.getenv("LIMIT"))
local sent = 0
local prepared = {}
local path, tail, zipf

local function numbered(number)
   local request = prepared[number]
   if request == nil then
      request = string.format("GET %s%d%s", path, first + number, tail)
      if objects <= 100000 then
         prepared[number] = request
      end
   end
   return request
end

local choose = {
   cycle = function() return numbered((sent - 1) % objects) end,
   random = function() return numbered(math.random(0, objects - 1)) end,
   zipf = function() return numbered(zipf[sent % #zipf + 1]) end,
   cookie = function() return "GET " .. path .. "0" .. tail:sub(1, -3) .. "Cookie: visit=" .. sent .. "\r\n\r\n" end,
}

-- A long sequence of draws in which the n-th object comes with a probability that goes with 1/n.
local function draws(count)
   local sums, sum, drawn = {}, 0, {}
   for number = 1, objects do
      sum = sum + 1 / number
      sums[number] = sum
   end
   for turn = 1, count do
      local wanted, low, high = math.random() * sum, 1, objects
      while low < high do
         local middle = math.floor((low + high) / 2)
         if sums[middle] < wanted then low = middle + 1 else high = middle end
      end
      drawn[turn] = low - 1
   end
   return drawn
end

function init(args)
   math.randomseed(1)
   path = wrk.path
   tail = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
   if load == "zipf" then
      zipf = draws(200000)
   end
end

if load ~= "same" then
   function request()
      sent = sent + 1
      if sent == limit then
         wrk.thread:stop()
         io.stderr:write("enough\n")
      end
      return choose[load]()
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      "\nRESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
      latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
