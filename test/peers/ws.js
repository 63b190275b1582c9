// SPDX-License-Identifier: MIT
// The peer ws, which WS_MODULE names.
//
//   node ws.js server
//   node ws.js client PORT MESSAGES CODE REASON
'use strict';

const fs = require('fs');

const WebSocket = require(process.env.WS_MODULE);

const [role, port, path, code, reason] = process.argv.slice(2);
const GOING_AWAY = '1001'; // is the server's to send: wait for it
const WIDE = [0xf0, 0x9f, 0x98, 0, 0xc2, 0, 0xe2, 0x82, 0];

const octet = {
    letters: (n, i) => 97 + (n + i) % 26,
    octets: (n, i) => (n + i + Math.floor(i / 256) + Math.floor(i / 65536)) % 256,
    wide: (n, i) => WIDE[i % 9] || 128 + (n + i) % 64,
};

// The lines of the file; each has its messages.
function readSet() {
    let number = 0;
    const lines = fs.readFileSync(path, 'ascii').split('\n').filter((text) => /^\d/.test(text));
    return lines.map((text) => {
        const [count, kind, pattern, ...sizes] = text.trim().split(/\s+/);
        const pieces = sizes.map(Number);
        const size = pieces.reduce((a, b) => a + b);
        const messages = [];
        for (let i = 0; i < Number(count); i += 1, number += 1) {
            const data = Buffer.alloc(size);
            for (let j = 0; j < size; j += 1) data[j] = octet[pattern](number, j);
            messages.push(data);
        }
        return { kind, pieces, messages };
    });
}

function send(ws, { kind, pieces }, data) {
    if (kind === 'ping') {
        ws.ping(data);
        return;
    }
    let at = 0;
    pieces.forEach((size, i) => {
        ws.send(data.subarray(at, at + size), { binary: kind === 'binary', fin: i === pieces.length - 1 });
        at += size;
    });
}

function client() {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    const lines = readSet();
    const total = { messages: 0, octets: 0, pings: 0 };
    let line;
    let back = 0;

    // Sends the next line, or the Close behind the last one.
    function advance() {
        line = lines.shift();
        back = 0;
        if (line) line.messages.forEach((data) => send(ws, line, data));
        else if (code === GOING_AWAY) console.log('waiting');
        else ws.close(Number(code), reason);
    }

    function take(kind, data) {
        if (!line || line.kind !== kind || !data.equals(line.messages[back])) {
            throw new Error(`expected ${line && line.kind}, actual: ${kind} of ${data.length}, or other octets`);
        }
        if (kind === 'ping') total.pings += 1;
        else total.messages += 1;
        if (kind !== 'ping') total.octets += data.length;
        back += 1;
        if (back === line.messages.length) advance();
    }

    ws.on('open', advance);
    ws.on('message', (data, binary) => take(binary ? 'binary' : 'text', data));
    ws.on('pong', (data) => take('ping', data));
    ws.on('close', (got, text) => {
        console.log('closed', got, text.toString());
        console.log(`echoed ${total.messages} messages, ${total.octets} octets, ${total.pings} pings`);
        process.exitCode = got === Number(code) && !line ? 0 : 1;
    });
}

function server() {
    const listener = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: true }, () => {
        console.log(`listening on 127.0.0.1:${listener.address().port}`);
    });
    listener.on('connection', (ws) => {
        ws.on('message', (data, binary) => ws.send(data, { binary }));
        ws.on('close', (got, text) => console.log('closed', got, text.toString()));
        ws.on('error', (problem) => console.error(problem.message));
    });
}

if (role === 'server') server();
else client();
