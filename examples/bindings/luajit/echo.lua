-- SPDX-License-Identifier: MIT
-- Echoes what comes, as server or as client, over sockets of POSIX: one connection at a time.
--
-- usage: luajit echo.lua server [PORT]
--        luajit echo.lua client URI          (the host of the URI is an IPv4 address)
--
-- A text "close CODE REASON" has it close, "ping DATA" has it ping. For each connection it
-- prints how it ended.
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path

local ffi = require("ffi")
local tenon = require("tenon")

-- Linux on little-endian machines: the numbers below are its own.
ffi.cdef [[
typedef struct { uint16_t family, port; uint8_t address[4]; char zero[8]; } inet_address;
typedef struct { long seconds, nanoseconds; } time_of_clock;
struct pollfd { int fd; short events, revents; };
int socket(int domain, int type, int protocol);
int bind(int fd, const inet_address *address, unsigned size);
int listen(int fd, int backlog);
int accept(int fd, inet_address *address, unsigned *size);
int connect(int fd, const inet_address *address, unsigned size);
int getsockname(int fd, inet_address *address, unsigned *size);
long recv(int fd, void *data, size_t n, int flags);
long send(int fd, const void *data, size_t n, int flags);
int shutdown(int fd, int how);
int close(int fd);
int poll(struct pollfd *fds, unsigned long count, int ms);
int clock_gettime(int clock, time_of_clock *now);
]]
local POSIX = ffi.C
local AF_INET, SOCK_STREAM, SHUT_WR, MONOTONIC, POLLIN, POLLOUT = 2, 1, 1, 1, 1, 4
local DONTWAIT_NOSIGNAL = 0x4040
local EAGAIN = 11
local MAX_MESSAGE = 16 * 1024 * 1024
local COPIED_MAX = 4096 -- longer messages are sent without a copy

local buffer = ffi.new("uint8_t[65536]")

local function now_ms()
    local now = ffi.new("time_of_clock")
    POSIX.clock_gettime(MONOTONIC, now)
    return tonumber(now.seconds) * 1000 + tonumber(now.nanoseconds) / 1e6
end

local function address_of(host, port)
    local address = ffi.new("inet_address", {family = AF_INET, port = bit.bor(bit.lshift(port % 256, 8), bit.rshift(port, 8))})
    local octets = {host:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")}
    assert(#octets == 4, "not an IPv4 address: " .. host)
    for i = 1, 4 do address.address[i - 1] = tonumber(octets[i]) end
    return address
end

local function answer(connection, event)
    local words = event.opcode == tenon.TEXT and #event.data < 200 and event.data or ""
    local code, reason = words:match("^close (%d+) (.*)$")
    if code then
        connection:close(tonumber(code), reason)
    elseif words:match("^ping ") then
        connection:ping(words:sub(6))
    elseif #event.data <= COPIED_MAX then
        connection:send(event.opcode, event.data)
    else
        connection:send_ref(event.opcode, event.data)
    end
end

-- One event; false if it must come again.
local function handle(connection, event)
    if event.type == tenon.EV_REQUEST then connection:accept() end
    if event.type ~= tenon.EV_DATA then return true end
    event.data = event.data or ""
    local good, problem = pcall(answer, connection, event)
    if good then return true end
    if type(problem) ~= "table" then error(problem, 0) end
    if problem.name == "TENON_ERR_AGAIN" then return false end
    if problem.name ~= "TENON_ERR_STATE" then error(problem, 0) end -- closing: nobody waits for it
    return true
end

-- Takes events until there is none. The event CLOSED, or nil; whether one waits for room.
local function deliver(connection)
    for event in connection:events() do
        if event.type == tenon.EV_CLOSED then return event, false end
        if not handle(connection, event) then
            connection:again()
            return nil, true
        end
    end
    return nil, false
end

-- Whether the socket took some of the output; nil: it is gone.
local function write(connection, fd)
    local octets = connection:out()
    if #octets == 0 then return false end
    local n = tonumber(POSIX.send(fd, octets, #octets, DONTWAIT_NOSIGNAL))
    if n < 0 and ffi.errno() == EAGAIN then return false end
    if n < 0 then return nil end
    connection:sent(n)
    return true
end

local function read(connection, fd)
    local n = tonumber(POSIX.recv(fd, buffer, ffi.sizeof(buffer), DONTWAIT_NOSIGNAL))
    if n > 0 then
        connection:recv(ffi.string(buffer, n))
    elseif n == 0 then
        connection:eof()
    elseif ffi.errno() == EAGAIN then
        return false
    else
        connection:abort(tenon.REMOTE)
    end
    return true
end

-- Waits for what the connection wants, at most until its deadline.
local function wait(connection, fd)
    local one = ffi.new("struct pollfd[1]")
    local deadline = connection:deadline()
    one[0].fd = fd
    if connection:wants(tenon.WANTS_READ) then one[0].events = POLLIN end
    if connection:wants(tenon.WANTS_WRITE) then one[0].events = one[0].events + POLLOUT end
    POSIX.poll(one, 1, deadline and math.max(0, math.ceil(deadline - now_ms())) or -1)
end

-- One step; whether something was done.
local function step(connection, fd, waits)
    local moved = write(connection, fd)
    if moved == nil then
        connection:abort(tenon.REMOTE)
        return true
    end
    if connection:wants(tenon.WANTS_SHUT_WR) then
        POSIX.shutdown(fd, SHUT_WR)
        connection:shut()
    end
    if connection:lend_wanted() then return true end
    if connection:wants(tenon.WANTS_READ) and read(connection, fd) then return true end
    return moved or (not waits and connection:wants(tenon.WANTS_NEXT))
end

local function converse(connection, fd)
    while true do
        connection:tick(now_ms())
        local closed, waits = deliver(connection)
        if closed then
            POSIX.close(fd)
            print(("closed %d %s %s"):format(closed.code, closed.data or "", tenon.rule_name(closed.rule)))
            return
        end
        if not step(connection, fd, waits) then wait(connection, fd) end
    end
end

local function serve(port)
    local address, size = address_of("127.0.0.1", port), ffi.new("unsigned[1]", ffi.sizeof("inet_address"))
    local listener = POSIX.socket(AF_INET, SOCK_STREAM, 0)
    assert(POSIX.bind(listener, address, size[0]) == 0 and POSIX.listen(listener, 16) == 0, "the port is taken")
    POSIX.getsockname(listener, address, size)
    print("listening on 127.0.0.1:" .. bit.bor(bit.lshift(address.port % 256, 8), bit.rshift(address.port, 8)))
    local config = tenon.config("server", {max_message = MAX_MESSAGE})
    while true do
        local fd = POSIX.accept(listener, nil, nil)
        if fd >= 0 then converse(tenon.connection(config), fd) end
    end
end

local function client(uri)
    local host, port = tenon.parse_uri(uri)
    local fd = POSIX.socket(AF_INET, SOCK_STREAM, 0)
    assert(POSIX.connect(fd, address_of(host, port), ffi.sizeof("inet_address")) == 0, "nobody is there")
    local connection = tenon.connection(tenon.config("client", {max_message = MAX_MESSAGE}))
    connection:connect {uri = uri}
    converse(connection, fd)
end

io.stdout:setvbuf("line")
if arg[1] == "server" then
    serve(tonumber(arg[2] or 9001))
elseif arg[1] == "client" and arg[2] then
    client(arg[2])
else
    io.stderr:write("usage: luajit echo.lua server [PORT] | client URI\n")
    os.exit(2)
end
