// SPDX-License-Identifier: MIT
// The npm package ws as an echo server that compresses: level 6, memory level 8, window 15.
'use strict';

const path = require('path');
const WebSocket = require(path.join(path.resolve(process.argv[2]), 'npm', 'node_modules', 'ws'));

const zlibDeflateOptions = { level: 6, memLevel: 8 };
const server = new WebSocket.Server({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0, zlibDeflateOptions } });
server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
