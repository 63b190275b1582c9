// SPDX-License-Identifier: MIT
// A server and clients of the package ws, both with permessage-deflate, and what is
// between them. Prints the port of the server, reads the port to connect to, and
// prints "good" and what was done, or what went wrong.
'use strict';
const crypto = require('crypto');
const readline = require('readline');
const WebSocket = require('ws');

const CLIENTS = [
  { perMessageDeflate: true },
  { perMessageDeflate: { clientNoContextTakeover: true, serverNoContextTakeover: true } },
  { perMessageDeflate: { clientMaxWindowBits: 9, serverMaxWindowBits: 9 } },
  { perMessageDeflate: false },
];

function fail(problem) {
  console.log('bad: ' + (problem && problem.stack ? problem.stack : problem));
  process.exit(1);
}

function assert(condition, what) {
  if (!condition) throw new Error(what);
}

function messages() {
  const list = ['', 'a', 'ä€𝄞'.repeat(3000), Buffer.alloc(0), crypto.randomBytes(70000), Buffer.alloc(300000)];
  for (let i = 0; i < 30; i++) list.push('the same words again and again '.repeat(i * 20));
  return list;
}

function same(got, isBinary, sent) {
  return isBinary === (typeof sent !== 'string') && got.equals(Buffer.from(sent));
}

function run(port, options) {
  return new Promise((resolve, reject) => {
    const client = new WebSocket('ws://127.0.0.1:' + port + '/', options);
    const waiting = messages();
    let next = 0;
    client.on('error', reject);
    client.on('open', () => {
      const compressed = client.extensions.includes('permessage-deflate');
      if (compressed !== Boolean(options.perMessageDeflate)) reject(new Error('extensions: ' + client.extensions));
      for (const message of waiting) client.send(message);
      // a message of several frames, compressed as a whole
      client.send('in ', { fin: false });
      client.send('pieces', { fin: true });
      waiting.push('in pieces');
    });
    client.on('message', (data, isBinary) => {
      if (!same(data, isBinary, waiting[next])) reject(new Error('message ' + next + ' came back different'));
      next++;
      if (next === waiting.length) client.ping('last', true);
    });
    client.on('pong', (data) => {
      if (data.toString() !== 'last') reject(new Error('pong ' + data));
      client.close(4444, 'enough');
    });
    client.on('close', (code, reason) => {
      if (next !== waiting.length || code !== 4444 || reason.toString() !== 'enough')
        reject(new Error('closed with ' + code + ' ' + reason + ' behind ' + next));
      resolve(next);
    });
  });
}

async function main(server, port) {
  let count = 0;
  for (const options of CLIENTS) count += await run(port, options);
  const codes = await Promise.all(server.codes); // a client is told before the origin's socket is closed
  assert(codes.length === CLIENTS.length && codes.every((code) => code === 4444), 'codes at the origin: ' + codes);
  console.log('good ' + count + ' messages of ' + CLIENTS.length + ' clients, three of which compress');
  process.exit(0);
}

setTimeout(() => fail('still running'), 15000).unref();
const server = new WebSocket.Server({
  host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 },
});
server.codes = [];
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  server.codes.push(new Promise((resolve) => socket.on('close', resolve)));
  socket.on('error', fail);
});
server.on('listening', () => console.log(server.address().port));
readline.createInterface({ input: process.stdin }).once('line', (line) => {
  main(server, Number(line)).catch(fail);
});
