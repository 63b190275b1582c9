-- SPDX-License-Identifier: MIT
-- What the LuaJIT binding declares, for layout.py. The FFI knows offsets by names alone, so
-- these stand here; one that is forgotten leaves a gap, which layout.py sees.
package.path = arg[0]:match("^(.*)/") .. "/../../examples/bindings/luajit/?.lua;" .. package.path

local ffi = require("ffi")
local tenon = require("tenon")

local FIELDS = {
    tenon_str = "data size",
    tenon_iov = "base size",
    tenon_header = "name value name_size value_size",
    tenon_fields = "array count head head_size",
    tenon_event = "type flags opcode cause rule code sent_code received_code reserved16 offset frame_size data size "
        .. "cookie rtt_ms reserved",
    tenon_config = "size role flags max_head max_target max_headers max_message max_fragments max_control "
        .. "max_frame_out handshake_ms idle_ms ping_ms pong_ms close_ms stall_ms reserved random random_user handshake "
        .. "transform transform_config",
    tenon_head = "method target authority origin reason status version fields",
    tenon_answer = "size reserved subprotocol subprotocol_size extensions extensions_size headers header_count",
    tenon_refusal = "size status reserved reason reason_size headers header_count body body_size flags reserved2 cookie",
    tenon_request = "size reserved uri authority target origin subprotocols subprotocol_count extensions headers "
        .. "header_count",
    tenon_uri = "host authority path query port secure reserved",
}

print("struct", "tenon_storage", ffi.sizeof("tenon_storage"))
for name, fields in pairs(FIELDS) do
    print("struct", name, ffi.sizeof(name))
    for field in fields:gmatch("%S+") do print("field", name, field, ffi.offsetof(name, field), "-") end
end
for name, value in pairs(tenon) do
    if type(value) == "number" then print("number", "TENON_" .. name, ("%.0f"):format(value)) end
end
