// SPDX-License-Identifier: MIT
// permessage-deflate against the npm package ws: its parameters, in both roles.
'use strict';

const { STEP_MS, WebSocket, Program, withServer, within, same, check, main, once } = require('./harness.js');

const WORDS = 'tenon and mortise, dovetail and dowel; ';
const BOTH = [undefined, true]; // false would refuse what the other side asks for
const BITS = [9, 10, 11, 12, 13, 14, 15];

function messages() {
    const noise = Buffer.alloc(70000);
    for (let i = 0, x = 1; i < noise.length; i++) {
        x = (Math.imul(x, 1103515245) + 12345) >>> 0;
        noise[i] = x >>> 16;
    }
    return ['', 'a', WORDS.repeat(3), WORDS.repeat(3), WORDS.repeat(2000), 'grüße €\u{1d11e} '.repeat(3000),
        Buffer.alloc(1 << 20), noise, ...Array.from({ length: 20 }, (_, i) => WORDS.slice(i).repeat(3))];
}

// Each window of either side, with takeover and without; and no word about windows.
function* terms() {
    for (const serverNoContextTakeover of BOTH) {
        for (const clientNoContextTakeover of BOTH) {
            const takeover = { serverNoContextTakeover, clientNoContextTakeover };
            yield takeover;
            for (const bits of BITS) yield { ...takeover, serverMaxWindowBits: bits, clientMaxWindowBits: 24 - bits };
        }
    }
}

// Every message comes back, in order.
async function converse(ws) {
    const sent = messages();
    let heard = 0;
    const done = new Promise((resolve, reject) => {
        ws.on('message', (data, binary) => {
            const one = sent[heard++];
            const good = binary ? data.equals(one) : data.toString() === one;
            if (!good) reject(new Error(`another echo of message ${heard}`));
            if (heard === sent.length) resolve();
        });
        ws.on('close', () => reject(new Error(`closed after ${heard} echoes`)));
    });
    for (const one of sent) ws.send(one);
    await within(STEP_MS, done, 'all echoes');
}

async function visit(url, perMessageDeflate) {
    const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...perMessageDeflate } });
    ws.on('error', () => {});
    await within(STEP_MS, once(ws, 'open'), 'an open connection');
    check(/permessage-deflate/.test(ws.extensions), 'an agreement', ws.extensions);
    await converse(ws);
    ws.removeAllListeners('close');
    ws.close(1000);
    same((await within(STEP_MS, once(ws, 'close'), 'a close'))[0], 1000, 'close code');
}

// tenon's client with these words against a server with these options.
async function serve(words, perMessageDeflate) {
    const server = new WebSocket.Server({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0, ...perMessageDeflate } });
    await once(server, 'listening');
    const client = new Program('examples/echo_client', ...words, `ws://127.0.0.1:${server.address().port}/`);
    try {
        const [ws] = await within(STEP_MS, once(server, 'connection'), 'a connection');
        check(/permessage-deflate/.test(ws.extensions), 'an agreement', ws.extensions);
        await converse(ws);
        ws.removeAllListeners('close');
        ws.close(1000);
        same(await client.status(), 0, `exit status; ${client.output.slice(-300)}`);
    } finally {
        client.kill();
        server.close();
    }
}

main({
    async test_deflate_ws_client() {
        for (const words of [['--deflate'], ['--deflate', '--no-takeover'], ['--deflate', '--window-bits', 10]]) {
            await withServer(words, async (url) => {
                for (const one of terms()) await visit(url, one);
            });
        }
    },

    async test_deflate_ws_server() {
        for (const words of [['--deflate'], ['--deflate', '--no-takeover'], ['--deflate', '--window-bits', 10]]) {
            for (const one of terms()) {
                // ws refuses an offer of less than its own option
                if (words.includes(10) && one.serverMaxWindowBits > 10) one.serverMaxWindowBits = 10;
                await serve(words, one);
            }
        }
    },
});
