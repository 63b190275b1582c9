-- SPDX-License-Identifier: MIT
-- Bad input to the LuaJIT binding: an error with the library's name for it, and no crash.
package.path = arg[0]:match("^(.*)/") .. "/../../examples/bindings/luajit/?.lua;" .. package.path

local ffi = require("ffi")
local tenon = require("tenon")
local C, check = tenon.C, tenon.check

local UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
local server = tenon.config("server")

-- A connection whose request waits for its decision.
local function asked()
    local connection = tenon.connection(server)
    connection:recv(UPGRADE)
    assert(connection:next().type == tenon.EV_REQUEST)
    return connection
end

local function opened()
    local connection = asked()
    connection:accept()
    assert(connection:next().type == tenon.EV_OPEN)
    connection:take_output()
    return connection
end

local function ended()
    local connection = opened()
    connection:abort()
    assert(connection:next().type == tenon.EV_CLOSED)
    return connection
end

local function init(size, offset, config)
    local memory, place = ffi.new("tenon_storage[2]"), ffi.new("tenon_conn *[1]")
    check(C.tenon_init(ffi.cast("uint8_t *", memory) + offset, size, config or server.struct, place))
end

local function config_of(size, role)
    local config = ffi.new("tenon_config")
    config.size, config.role = size, role
    return config
end

local function client(random)
    return tenon.connection(tenon.config("client", {random = random}))
end

local function ask(random)
    client(random):connect {uri = "ws://a/"}
end

local SIZE = ffi.sizeof("tenon_config")
local BAD = {
    {"storage too small", "SIZE", function() init(100, 0) end},
    {"storage misaligned", "SIZE", function() init(384, 1) end},
    {"storage NULL", "NULL", function()
        check(C.tenon_init(nil, 384, server.struct, ffi.new("tenon_conn *[1]")))
    end},
    {"no place for the connection", "NULL", function()
        check(C.tenon_init(ffi.new("tenon_storage"), 384, server.struct, nil))
    end},
    {"config NULL", "NULL", function() check(C.tenon_config_server(nil, SIZE)) end},
    {"config smaller than the library's", "SIZE", function()
        check(C.tenon_config_server(ffi.new("tenon_config"), SIZE - 8))
    end},
    {"config of another size", "SIZE", function() init(384, 0, config_of(SIZE - 8, tenon.SERVER)) end},
    {"config that nothing has filled", "ARG", function() init(384, 0, config_of(SIZE, 0)) end},
    {"limit that does not fit", "ARG", function() tenon.config("server", {max_head = 2 ^ 32}) end},
    {"limit below 0", "ARG", function() tenon.config("server", {max_head = -1}) end},
    {"client without random", "RANDOM", function() client(false) end},
    {"random that raises", "RANDOM", function() ask(function() error("none") end) end},
    {"random that gives too little", "RANDOM", function() ask(function() return "x" end) end},
    {"rx too small", "SIZE", function() tenon.connection(server, {rx = 255}) end},
    {"tx too small", "SIZE", function() tenon.connection(server, {tx = 511}) end},
    {"run without a callback", "NULL", function() check(C.tenon_run(opened().raw, nil, nil)) end},
    {"pump without its struct", "NULL", function() check(C.tenon_pump(opened().raw, nil)) end},
    {"pump with a struct of another size", "SIZE", function()
        check(C.tenon_pump(opened().raw, ffi.new("uint64_t[9]")))
    end},
    {"connection NULL", "NULL", function() check(C.tenon_next(nil, ffi.new("tenon_event"))) end},
    {"event NULL", "NULL", function() check(C.tenon_next(opened().raw, nil)) end},
    {"data NULL", "NULL", function() check(C.tenon_send(opened().raw, tenon.TEXT, nil, 5, 0)) end},
    {"acknowledged too much", "ACK", function() opened():sent(1) end},
    {"opcode that is none", "ARG", function() opened():send(7, "x") end},
    {"text that is not UTF-8", "UTF8", function() opened():send(tenon.TEXT, "\255") end},
    {"ping too long", "CONTROL_SIZE", function() opened():ping(("x"):rep(126)) end},
    {"close code that must not be sent", "CODE", function() opened():close(1006) end},
    {"close code that does not fit", "ARG", function() opened():close(65536 + 1000) end},
    {"close reason too long", "CONTROL_SIZE", function() opened():close(1000, ("x"):rep(124)) end},
    {"answer without a request", "STATE", function() opened():accept() end},
    {"answer of another size", "SIZE", function() check(C.tenon_accept(asked().raw, ffi.new("tenon_answer"))) end},
    {"subprotocol not offered", "SUBPROTOCOL", function() asked():accept {subprotocol = "chat"} end},
    {"field with a line end", "HEADER", function() asked():accept {headers = {{"A", "b\r\nC: d"}}} end},
    {"field with a NUL", "HEADER", function() asked():accept {headers = {{"A", "b\0c"}}} end},
    {"field without a name", "HEADER", function() asked():accept {headers = {{"", "b"}}} end},
    {"status that refuses nothing", "STATUS", function() asked():reject(101) end},
    {"status that does not fit", "ARG", function() asked():reject(65536 + 403) end},
    {"URI of another scheme", "URI", function() tenon.parse_uri("ftp://a/") end},
    {"URI that is empty", "URI", function() tenon.parse_uri("") end},
    {"URI with a NUL", "ARG", function() tenon.parse_uri("ws://a/\0b") end},
    {"request with a NUL", "ARG", function() client():connect {uri = "ws://a/\0b"} end},
    {"request by a server", "STATE", function() tenon.connection(server):connect {uri = "ws://a/"} end},
    {"input after the end", "STATE", function() ended():recv("x") end},
    {"send after the end", "STATE", function() ended():send(tenon.TEXT, "x") end},
    {"the same event again, without one", "STATE", function() tenon.connection(server):again() end},
}

local failed = 0

local function tell(good, text)
    print((good and "OK" or "FAIL") .. " luajit, " .. text)
    if not good then failed = failed + 1 end
end

for _, one in ipairs(BAD) do
    local good, problem = pcall(one[3])
    local got = good and "nothing" or tostring(problem)
    tell(got == "TENON_ERR_" .. one[2], one[1] .. ": " .. got)
end

-- A size of 0 beside a pointer means NUL: an empty value must not be read beyond.
local connection = asked()
connection:accept {headers = {{"X-Empty", ""}}}
tell(connection:take_output():find("\r\nX-Empty: \r\n\r\n", 1, true) ~= nil, "empty value")

tell(not pcall(tenon.config, "server", {max_heads = 1}), "unknown limit")

-- What the library has borrowed stays while garbage is collected around it.
connection = opened()
connection:send_ref(tenon.BINARY, ("kept"):rep(75000), 0, "mine")
collectgarbage()
collectgarbage()
local output, event = connection:take_output(), connection:next()
tell(output:find(("kept"):rep(16384), 1, true) ~= nil and event.type == tenon.EV_RELEASED and event.cookie == "mine",
    "kept while borrowed")
os.exit(failed > 0 and 1 or 0)
