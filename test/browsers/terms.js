// SPDX-License-Identifier: MIT
// permessage-deflate with every combination of its terms: a path to the echo server that
// offers, in the browser's name, what the target of the request says, and listens; and
// what it heard, inflated with the windows agreed on and no more.
//
// A browser offers "permessage-deflate; client_max_window_bits" and takes any answer that
// keeps to this: so terms that it would not have asked for can be had.
'use strict';

const net = require('net');
const zlib = require('zlib');

const NAME = 'permessage-deflate';
const BITS = [9, 10, 11, 12, 13, 14, 15];
const FLUSHED = Buffer.from([0, 0, 0xff, 0xff]); // the end of a message, which is not sent (RFC 7692, 7.2.1)

// bits: 0 for none. isLimited: whether the browser lets a server limit its window.
function* allTerms(isLimited) {
    for (const serverReset of [false, true]) {
        for (const clientReset of [false, true]) {
            for (const serverBits of [0, ...BITS]) {
                for (const clientBits of isLimited ? [0, ...BITS] : [0]) yield { serverReset, clientReset, serverBits, clientBits };
            }
        }
    }
}

const written = ({ serverReset, clientReset, serverBits, clientBits }, plain) => [NAME,
    ...(serverReset ? ['server_no_context_takeover'] : []), ...(clientReset ? ['client_no_context_takeover'] : []),
    ...(serverBits ? [`server_max_window_bits=${serverBits}`] : []),
    ...(clientBits ? [`client_max_window_bits=${clientBits}`] : plain)].join('; ');

const offer = (terms, isLimited) => written(terms, isLimited ? ['client_max_window_bits'] : []);

// What tenon answers: a limit that is none is not worth a word.
const answer = (terms) => written({ ...terms, clientBits: terms.clientBits === 15 ? 0 : terms.clientBits }, []);

// --------------------------------------------------------------------- the path

// The octets of one connection, without the heads, up and down.
class Tap {
    constructor(port) {
        this.heard = [];
        this.server = net.createServer((near) => this.join(near, net.connect(port, '127.0.0.1')));
    }

    join(near, far) {
        const octets = { up: [], down: [] };
        let head = '', isPast = false;
        this.heard.push(octets);
        for (const [one, other] of [[near, far], [far, near]]) {
            one.on('end', () => other.end());
            one.on('error', () => other.destroy());
        }
        far.on('data', (data) => { octets.down.push(data); near.write(data); });
        near.on('data', (data) => {
            if (isPast) {
                octets.up.push(data);
                far.write(data);
                return;
            }
            head += data.toString('latin1');
            if (!head.endsWith('\r\n\r\n')) return; // a browser waits for the answer
            isPast = true;
            far.write(head.replace(/^(Sec-WebSocket-Extensions: ).*$/im, `$1${decodeURIComponent(/\?(\S+)/.exec(head)[1])}`));
        });
    }

    streams(index) {
        const { up, down } = this.heard[index], behind = Buffer.concat(down);
        return { up: Buffer.concat(up), down: behind.subarray(behind.indexOf('\r\n\r\n') + 4) };
    }
}

// ------------------------------------------------------------------- what it heard

// The first octet of a frame, its payload, and where it ends.
function frameAt(stream, at) {
    const first = stream[at], isMasked = stream[at + 1] >> 7;
    let size = stream[at + 1] & 127, begin = at + 2;
    if (size === 126) { size = stream.readUInt16BE(begin); begin += 2; }
    else if (size === 127) { size = Number(stream.readBigUInt64BE(begin)); begin += 8; }
    const key = stream.subarray(begin, begin + 4);
    if (isMasked) begin += 4;
    const payload = Buffer.from(stream.subarray(begin, begin + size));
    if (isMasked) for (let i = 0; i < size; i++) payload[i] ^= key[i & 3];
    return { first, payload, end: begin + size };
}

// The payloads of compressed messages, as they came.
function* compressed(stream) {
    let pieces = [], isOne = false;
    for (let at = 0; at < stream.length;) {
        const { first, payload, end } = frameAt(stream, at);
        at = end;
        if ((first & 15) >= 8) continue;
        if ((first & 15) !== 0) {
            pieces = [];
            isOne = (first & 0x40) !== 0;
        }
        pieces.push(payload);
        if (first & 0x80 && isOne) yield Buffer.concat(pieces);
    }
}

// Small pieces of output: only the window holds what lies further back.
const inflate = (data, bits) => zlib.inflateRawSync(data,
    { windowBits: bits, chunkSize: 64, finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString();

// The texts of a direction: each by itself, or all as one stream, which refers back.
function texts(stream, isReset, bits) {
    const all = [...compressed(stream)].map((payload) => Buffer.concat([payload, FLUSHED]));
    return { sizes: all.map((payload) => payload.length), texts: isReset ? all.map((one) => inflate(one, bits)).join('')
        : inflate(Buffer.concat(all), bits) };
}

// ------------------------------------------------------------------ what is said

// Texts in which little but what was said earlier helps to compress: twice the same (of
// few letters, for what gets no shorter is sent as it is); then the same again behind
// 300 octets, 600, 1200... up to nearly 32 KiB.
function messages() {
    let x = 1;
    const noise = (size, letters) => Array.from({ length: size }, () => {
        x = (Math.imul(x, 1103515245) + 12345) >>> 0;
        return String.fromCharCode(33 + (x >>> 16) % letters);
    }).join('');
    const one = noise(100, 12), list = [one, one];
    for (let size = 300; size < 32768 - 300; size *= 2) {
        const text = noise(size, 94);
        list.push(text + text);
    }
    return list;
}

// Runs in the page: says all over a connection with these terms; the agreement, and
// whether all came back.
async function converse({ port, words, said }) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/?${encodeURIComponent(words)}`);
    const heard = [];
    await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onclose = () => reject(new Error(`no connection with: ${words}`));
    });
    const agreed = socket.extensions;
    said.forEach((text) => socket.send(text));
    await new Promise((resolve) => {
        socket.onmessage = ({ data }) => { if (heard.push(data) === said.length) resolve(); };
        socket.onclose = resolve;
    });
    const gone = new Promise((resolve) => { socket.onclose = resolve; });
    socket.close();
    await gone;
    return [agreed, heard.length === said.length && heard.every((text, index) => text === said[index])];
}

module.exports = { NAME, allTerms, offer, answer, Tap, texts, messages, converse };
