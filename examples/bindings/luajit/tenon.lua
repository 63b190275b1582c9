-- SPDX-License-Identifier: MIT
-- tenon from LuaJIT over its FFI: the pull form of tenon.h.
--
-- The shared library is TENON_LIBRARY of the environment, or libtenon.so.0 where the
-- system's loader finds it.
--
--   local connection = tenon.connection(tenon.config("server"))
--   connection:recv(octets)
--   for event in connection:events() do
--       if event.type == tenon.EV_REQUEST then connection:accept() end
--       if event.type == tenon.EV_DATA then connection:send(event.opcode, event.data) end
--   end
--   write(connection:take_output())
--
-- A call that fails raises an error: a table with the library's name and status. All that
-- the library borrows is held by the connection, and an event is a copy, so nothing of the
-- program's can be left without its memory.
local ffi = require("ffi")

-- The library calls back for random octets; a compiled trace could not be called into.
if jit then jit.off(true, true) end

ffi.cdef [[
typedef struct tenon_conn tenon_conn;
typedef struct { const char *data; size_t size; } tenon_str;
typedef struct { const void *base; size_t size; } tenon_iov;
typedef struct { const char *name; const char *value; size_t name_size; size_t value_size; } tenon_header;
typedef struct { const tenon_header *array; size_t count; const char *head; size_t head_size; } tenon_fields;
typedef union { uint64_t align_u64; void *align_ptr; unsigned char bytes[384]; } tenon_storage;
typedef struct {
    uint16_t type, flags; uint8_t opcode, cause; uint16_t rule, code, sent_code, received_code, reserved16;
    uint64_t offset, frame_size; const uint8_t *data; size_t size; void *cookie; uint32_t rtt_ms;
    uint8_t reserved[28 - 3 * sizeof(void *)];
} tenon_event;
typedef int (*tenon_random_fn)(void *user, void *out, size_t n);
typedef struct {
    uint32_t size, role, flags, max_head, max_target, max_headers; uint64_t max_message;
    uint32_t max_fragments, max_control, max_frame_out, handshake_ms, idle_ms, ping_ms, pong_ms, close_ms, stall_ms,
        reserved;
    tenon_random_fn random; void *random_user; const void *handshake, *transform, *transform_config;
} tenon_config;
typedef struct {
    tenon_str method, target, authority, origin, reason; uint16_t status, version; tenon_fields fields;
} tenon_head;
typedef struct {
    uint32_t size, reserved; const char *subprotocol; size_t subprotocol_size; const char *extensions;
    size_t extensions_size; const tenon_header *headers; size_t header_count;
} tenon_answer;
typedef struct {
    uint32_t size; uint16_t status, reserved; const char *reason; size_t reason_size; const tenon_header *headers;
    size_t header_count; const void *body; size_t body_size; uint32_t flags, reserved2; void *cookie;
} tenon_refusal;
typedef struct {
    uint32_t size, reserved; const char *uri, *authority, *target, *origin; const char *const *subprotocols;
    size_t subprotocol_count; const char *extensions; const tenon_header *headers; size_t header_count;
} tenon_request;
typedef struct {
    tenon_str host, authority, path, query; uint16_t port; uint8_t secure, reserved;
} tenon_uri;

uint32_t tenon_version(void);
size_t tenon_conn_size(void);
const char *tenon_status_name(int status);
const char *tenon_event_name(int type);
const char *tenon_close_name(int code);
const char *tenon_rule_name(int rule);
const char *tenon_rule_text(int rule);
int tenon_config_server(tenon_config *config, size_t size);
int tenon_config_client(tenon_config *config, size_t size);
int tenon_init(void *memory, size_t size, const tenon_config *config, tenon_conn **conn);
int tenon_lend(tenon_conn *conn, void *rx, size_t rx_size, void *tx, size_t tx_size);
int tenon_lend_rx(tenon_conn *conn, void *rx, size_t size);
size_t tenon_rx_needed(const tenon_conn *conn);
int tenon_state(const tenon_conn *conn);
uint32_t tenon_wants(const tenon_conn *conn);
uint64_t tenon_queued(const tenon_conn *conn);
uint64_t tenon_deadline(const tenon_conn *conn);
int tenon_tick(tenon_conn *conn, uint64_t now_ms);
int tenon_recv(tenon_conn *conn, void *data, size_t n);
int tenon_recv_const(tenon_conn *conn, const void *data, size_t n);
int tenon_eof(tenon_conn *conn);
int tenon_shut(tenon_conn *conn);
int tenon_abort(tenon_conn *conn, int cause);
int tenon_next(tenon_conn *conn, tenon_event *event);
int tenon_again(tenon_conn *conn);
int tenon_out(tenon_conn *conn, tenon_iov *iov, size_t max, size_t *count);
int tenon_sent(tenon_conn *conn, size_t n);
int tenon_send(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags);
int tenon_send_ref(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags, void *cookie);
int tenon_ping(tenon_conn *conn, const void *data, size_t n);
int tenon_close(tenon_conn *conn, int code, const char *reason, size_t n);
int tenon_head_get(const tenon_conn *conn, tenon_head *head);
int tenon_header_next(const tenon_fields *fields, size_t *position, tenon_header *field);
int tenon_accept(tenon_conn *conn, const tenon_answer *answer);
int tenon_reject(tenon_conn *conn, const tenon_refusal *refusal);
int tenon_connect(tenon_conn *conn, const tenon_request *request);
int tenon_run(tenon_conn *conn, void *event, void *user);
int tenon_pump(tenon_conn *conn, const void *io);
int tenon_uri_parse(const char *text, size_t n, tenon_uri *uri, size_t *at);
]]

local C = ffi.load(os.getenv("TENON_LIBRARY") or "libtenon.so.0")

-- The numbers of the headers, without their TENON_.
local tenon = {
    C = C, STORAGE_SIZE = 384, OFF = 0xffffffff, NEVER = 0xffffffffffffffffULL,
    OK = 0, EVENT = 1, STOPPED = 2, DONE = 3, MORE = 4, WAIT = 5, END = 6,
    SERVER = 1, CLIENT = 2, TEXT = 1, BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10,
    CLOSE_NORMAL = 1000, CLOSE_GOING_AWAY = 1001, CLOSE_PROTOCOL = 1002, CLOSE_UNSUPPORTED = 1003, CLOSE_NONE = 1005,
    CLOSE_ABNORMAL = 1006, CLOSE_DATA = 1007, CLOSE_POLICY = 1008, CLOSE_TOO_BIG = 1009, CLOSE_INTERNAL = 1011,
    CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3, LOCAL = 1, REMOTE = 2,
    EV_REQUEST = 1, EV_RESPONSE = 2, EV_OPEN = 3, EV_DATA = 4, EV_BODY = 5, EV_PING = 6, EV_PONG = 7, EV_CLOSE = 8,
    EV_WRITABLE = 9, EV_RELEASED = 10, EV_CLOSED = 11,
    FIRST = 0x0001, LAST = 0x0002, FRAME_FIRST = 0x0004, FRAME_LAST = 0x0008, CLEAN = 0x0100, OWN = 0x0200,
    PLAIN = 0x0400, TRUSTED = 0x1000, COPY = 0x2000,
    CHUNKS = 0x01, RELAY = 0x02, PLAIN_GET = 0x04, REQUIRE_SUBPROTOCOL = 0x08, DROP_AFTER_CLOSE = 0x10,
    WANTS_READ = 0x01, WANTS_WRITE = 0x02, WANTS_RX = 0x04, WANTS_TX = 0x08, WANTS_DECISION = 0x10,
    WANTS_SHUT_WR = 0x20, WANTS_CLOSE = 0x40, WANTS_NEXT = 0x80,
}

local function name_of(get)
    return function(number) return ffi.string(get(number)) end
end

tenon.status_name, tenon.event_name = name_of(C.tenon_status_name), name_of(C.tenon_event_name)
tenon.rule_name, tenon.rule_text = name_of(C.tenon_rule_name), name_of(C.tenon_rule_text)
tenon.close_name = name_of(C.tenon_close_name)

-- ------------------------------------------------------------------- errors

local Error = {__tostring = function(self) return self.name end}

local function fail(status)
    error(setmetatable({status = status, name = tenon.status_name(status)}, Error), 0)
end

local function check(status)
    if status < 0 then fail(status) end
    return status
end

tenon.check = check

-- A number that the field can hold; the FFI would cut it short.
local function fit(value, limit)
    if type(value) == "number" and (value < 0 or value >= limit or value ~= math.floor(value)) then fail(-3) end
    return value
end

-- A string that goes without its size: the library would not see what is behind a NUL.
local function string_of(value)
    if value and value:find("\0", 1, true) then fail(-3) end
    return value
end

-- Strings of Lua end with NUL, so a size of 0 may have the library read up to it. held gets
-- what must live for as long as the library has its address.
local function headers_of(list, held)
    local array = ffi.new("tenon_header[?]", math.max(1, #list))
    for i, pair in ipairs(list) do
        local name, value = pair[1], pair[2]
        array[i - 1].name, array[i - 1].name_size = name, #name
        array[i - 1].value, array[i - 1].value_size = value, #value
        held[#held + 1], held[#held + 2] = name, value
    end
    held[#held + 1] = array
    return array, #list
end

-- ------------------------------------------------------------ configuration

local LIMITS = {}
for name in ([[flags max_head max_target max_headers max_message max_fragments max_control max_frame_out handshake_ms
    idle_ms ping_ms pong_ms close_ms stall_ms]]):gmatch("%S+") do
    LIMITS[name] = name == "max_message" and 2 ^ 53 or 2 ^ 32
end

local function system_random(n)
    local file = assert(io.open("/dev/urandom", "rb"))
    local octets = file:read(n)
    file:close()
    return octets
end

-- Without random octets the connection ends; no error may pass through C.
local function fill_random(source)
    return ffi.cast("tenon_random_fn", function(_, out, n)
        local good, octets = pcall(source, tonumber(n))
        if not good or type(octets) ~= "string" or #octets ~= n then return 1 end
        ffi.copy(out, octets, #octets)
        return 0
    end)
end

-- The system's source serves all configs: callbacks are few and stay.
local shared_random

-- What connections have in common: role, limits by their names in tenon_config, and random
-- for a client, a function that gives n octets (false: none).
function tenon.config(role, limits)
    local self = {struct = ffi.new("tenon_config")}
    local fill = role == "server" and C.tenon_config_server or C.tenon_config_client
    check(fill(self.struct, ffi.sizeof(self.struct)))
    for name, value in pairs(limits or {}) do
        if name ~= "random" then
            self.struct[name] = fit(value, LIMITS[name] or error("no limit of tenon_config: " .. name, 2))
        end
    end
    local random = limits and limits.random
    if role == "client" and random == nil then
        shared_random = shared_random or fill_random(system_random)
        self.struct.random = shared_random
    elseif role == "client" and random then
        self.random = fill_random(random)
        self.struct.random = self.random
    end
    return self
end

-- --------------------------------------------------------------- connection

local Connection = {}
Connection.__index = Connection

local function memory(size)
    return size > 0 and ffi.new("uint8_t[?]", size) or nil
end

function tenon.connection(config, sizes)
    local self = setmetatable({config = config, references = {}, cookies = 0}, Connection)
    local place = ffi.new("tenon_conn *[1]")
    sizes = sizes or {}
    self.storage = ffi.new("tenon_storage")
    self.current, self.pieces, self.count = ffi.new("tenon_event"), ffi.new("tenon_iov[16]"), ffi.new("size_t[1]")
    check(C.tenon_init(self.storage, ffi.sizeof(self.storage), config.struct, place))
    self.raw = place[0]
    self:lend(sizes.rx or 65536, sizes.tx or 65536)
    return self
end

function Connection:lend(rx, tx)
    local one, two = memory(rx), memory(tx)
    check(C.tenon_lend(self.raw, one, rx, two, tx))
    self.rx, self.tx, self.rx_size = one, two, rx
end

function Connection:lend_rx(size)
    local rx = memory(size)
    check(C.tenon_lend_rx(self.raw, rx, size))
    self.rx, self.rx_size = rx, size
end

-- Lends a larger rx if one is asked for; whether it did.
function Connection:lend_wanted()
    local need = tonumber(C.tenon_rx_needed(self.raw))
    if not self:wants(tenon.WANTS_RX) or need <= self.rx_size then return false end
    self:lend_rx(need)
    return true
end

function Connection:state() return C.tenon_state(self.raw) end

-- Whether the connection wants one of these.
function Connection:wants(bits) return bit.band(C.tenon_wants(self.raw), bits) ~= 0 end

function Connection:queued() return tonumber(C.tenon_queued(self.raw)) end

-- In milliseconds of the clock of tick, or nil.
function Connection:deadline()
    local at = C.tenon_deadline(self.raw)
    return at ~= tenon.NEVER and tonumber(at) or nil
end

function Connection:tick(ms) check(C.tenon_tick(self.raw, math.floor(ms))) end

-- Received octets; the library leaves strings as they are.
function Connection:recv(octets)
    check(C.tenon_recv_const(self.raw, octets, #octets))
    if #octets > 0 then self.lent = octets end
end

function Connection:eof() check(C.tenon_eof(self.raw)) end

function Connection:shut() check(C.tenon_shut(self.raw)) end

function Connection:abort(cause) check(C.tenon_abort(self.raw, cause or tenon.LOCAL)) end

-- A copy of the current event.
local function told(self)
    local raw = self.current
    local event = {offset = tonumber(raw.offset), frame_size = tonumber(raw.frame_size)}
    for name in ("type flags opcode cause rule code sent_code received_code rtt_ms"):gmatch("%S+") do
        event[name] = raw[name]
    end
    if raw.data ~= nil then event.data = ffi.string(raw.data, raw.size) end
    if event.type == tenon.EV_RELEASED then
        local key = tonumber(ffi.cast("uintptr_t", raw.cookie))
        self.last = self.references[key] or self.last -- it may be told again
        self.references[key] = nil
        event.cookie = self.last.cookie
    end
    if event.type == tenon.EV_OPEN or event.type == tenon.EV_RESPONSE or event.type == tenon.EV_CLOSED then
        self.request = nil
    end
    return event
end

-- The next event, or nil.
function Connection:next()
    if check(C.tenon_next(self.raw, self.current)) ~= tenon.EVENT then return nil end
    return told(self)
end

function Connection:events() return self.next, self end

-- The last event comes again.
function Connection:again() check(C.tenon_again(self.raw)) end

-- What is to be sent; n octets of it were, after sent(n).
function Connection:out()
    check(C.tenon_out(self.raw, self.pieces, 16, self.count))
    local found = {}
    for i = 0, tonumber(self.count[0]) - 1 do
        found[#found + 1] = ffi.string(self.pieces[i].base, self.pieces[i].size)
    end
    return table.concat(found)
end

function Connection:sent(n) check(C.tenon_sent(self.raw, n)) end

-- All that is to be sent, as sent.
function Connection:take_output()
    local taken = {}
    repeat
        local octets = self:out()
        self:sent(#octets)
        taken[#taken + 1] = octets
    until #octets == 0
    return table.concat(taken)
end

-- A whole message, copied.
function Connection:send(opcode, data, flags)
    check(C.tenon_send(self.raw, fit(opcode, 16), data, #data, flags or 0))
end

-- A whole message that the library reads from until RELEASED brings the cookie.
function Connection:send_ref(opcode, data, flags, cookie)
    local key = self.cookies + 1
    check(C.tenon_send_ref(self.raw, fit(opcode, 16), data, #data, flags or 0, ffi.cast("void *", key)))
    self.cookies, self.references[key] = key, {data = data, cookie = cookie}
end

function Connection:ping(data) check(C.tenon_ping(self.raw, data, #data)) end

function Connection:close(code, reason)
    reason = reason or ""
    check(C.tenon_close(self.raw, fit(code or tenon.CLOSE_NORMAL, 65536), #reason > 0 and reason or nil, #reason))
end

local function slice(part)
    return part.data ~= nil and ffi.string(part.data, part.size) or nil
end

-- The head that is readable now: copies, fields as pairs in order.
function Connection:head()
    local raw, position, field = ffi.new("tenon_head"), ffi.new("size_t[1]"), ffi.new("tenon_header")
    check(C.tenon_head_get(self.raw, raw))
    local head = {status = raw.status, version = raw.version, fields = {}}
    for name in ("method target authority origin reason"):gmatch("%S+") do head[name] = slice(raw[name]) end
    while check(C.tenon_header_next(raw.fields, position, field)) == tenon.OK do
        head.fields[#head.fields + 1] = {ffi.string(field.name, field.name_size),
            ffi.string(field.value, field.value_size)}
    end
    return head
end

function Connection:accept(answer)
    answer = answer or {}
    local raw, held = ffi.new("tenon_answer", {size = ffi.sizeof("tenon_answer")}), {}
    local headers, count = headers_of(answer.headers or {}, held)
    raw.headers, raw.header_count = headers, count
    for _, name in ipairs {"subprotocol", "extensions"} do
        raw[name], raw[name .. "_size"] = answer[name], #(answer[name] or "")
    end
    check(C.tenon_accept(self.raw, raw))
end

function Connection:reject(status, refusal)
    refusal = refusal or {}
    local raw = ffi.new("tenon_refusal", {size = ffi.sizeof("tenon_refusal"), status = fit(status, 65536)})
    local held, body = {}, refusal.body or ""
    local headers, count = headers_of(refusal.headers or {}, held)
    raw.headers, raw.header_count = headers, count
    raw.reason, raw.reason_size = refusal.reason, #(refusal.reason or "")
    raw.flags, raw.body, raw.body_size = tenon.COPY, ffi.cast("const char *", body), #body
    check(C.tenon_reject(self.raw, raw))
end

function Connection:connect(request)
    local raw = ffi.new("tenon_request", {size = ffi.sizeof("tenon_request")})
    local names = request.subprotocols or {}
    local array = ffi.new("const char *[?]", #names + 1)
    local held = {raw, array}
    local headers, count = headers_of(request.headers or {}, held)
    local function hold(value)
        held[#held + 1] = string_of(value)
        return value
    end
    for i, name in ipairs(names) do array[i - 1] = hold(name) end
    for name in ("uri authority target origin extensions"):gmatch("%S+") do raw[name] = hold(request[name]) end
    raw.subprotocols, raw.subprotocol_count = array, #names
    raw.headers, raw.header_count = headers, count
    check(C.tenon_connect(self.raw, raw))
    self.request = held -- borrowed until OPEN, RESPONSE or CLOSED
end

-- Where a ws: or wss: URI leads: host, port, whether it is secure.
function tenon.parse_uri(uri)
    local raw = ffi.new("tenon_uri")
    string_of(uri)
    if #uri == 0 then fail(-14) end -- a size of 0 would mean: up to NUL
    check(C.tenon_uri_parse(uri, #uri, raw, nil))
    return ffi.string(raw.host.data, raw.host.size), raw.port, raw.secure == 1
end

-- --------------------------------------------------------------- self-check

-- Whether this is the library that the declarations are for: its version, the sizes that
-- it tells, and the last event of a connection that ends at once.
local function self_check()
    local function judge(good, what)
        if not good then error("tenon: not the library that this module is for: " .. what) end
    end
    judge(bit.rshift(C.tenon_version(), 8) == 1, "version")
    judge(C.tenon_conn_size() <= tenon.STORAGE_SIZE, "storage")
    local config = tenon.config("server")
    judge(config.struct.size == ffi.sizeof(config.struct), "config")
    local connection = tenon.connection(config, {rx = 256, tx = 512})
    connection:recv("GE")
    judge(connection:next() == nil, "input")
    connection:abort(tenon.REMOTE)
    local event = connection:next()
    judge(event.type == tenon.EV_CLOSED and event.code == tenon.CLOSE_ABNORMAL and event.offset == 2, "event")
    judge(tenon.rule_name(event.rule) == "ABORT" and event.cause == tenon.REMOTE and event.data == nil, "event")
end

self_check()

return tenon
