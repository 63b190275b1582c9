// SPDX-License-Identifier: MIT
// An echo server on ws, which WS_MODULE names, with permessage-deflate.
//
//   node deflate_ws.js MEMORY_LEVEL
'use strict';

const WebSocket = require(process.env.WS_MODULE);

// Stated, even where it is what ws or Node.js has anyway: as echo_server has it.
const perMessageDeflate = {
    threshold: 0,
    zlibDeflateOptions: { level: 6, memLevel: Number(process.argv[2]) },
};

const listener = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate }, () => {
    console.log(`listening on 127.0.0.1:${listener.address().port}`);
});
listener.on('connection', (ws) => {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
    ws.on('error', (problem) => console.error(problem.message));
});
