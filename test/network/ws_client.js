// SPDX-License-Identifier: MIT
// The package ws as a client: goes through a set of messages at each address. It offers
// compression, but no subprotocol, for without one in the answer it would fail.
//
// usage: node ws_client.js DIRECTORY_OF_WS NAME=URL...
//
// Prints "OK NAME" or "FAIL NAME PROBLEM" for each.
'use strict'
const WebSocket = require(process.argv[2])

const SECONDS = 30
const CODE = 4001
const unit = 'aé€😀'
const messages = [
  'Grüße, 世界 𝄞', '', Buffer.alloc(0), Buffer.from([...Array(256).keys()]), unit.repeat(12),
  Buffer.alloc(65536, 'xyz'), unit.repeat(104857)
]

function same (a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0
}

function goThrough (url) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { maxPayload: 1 << 24 })
    const timer = setTimeout(() => { ws.terminate(); reject(new Error('it hangs')) }, SECONDS * 1000)
    let step = 0
    let isPonged = false
    const next = () => {
      if (step < messages.length) return ws.send(messages[step])
      if (step > messages.length) return ws.ping('are you there')
      ws.send('frag', { fin: false })
      ws.ping('between')
      ws.send('ment€', { fin: true })
    }
    ws.on('open', next)
    ws.on('message', (data, isBinary) => {
      const expected = step < messages.length ? messages[step] : 'fragment€'
      if (!same(data, expected) || isBinary !== Buffer.isBuffer(expected)) {
        ws.terminate()
        return reject(new Error('message ' + step + ' came back changed'))
      }
      step++
      next()
    })
    ws.on('pong', (data) => {
      if (String(data) !== 'are you there') return
      isPonged = true
      ws.close(CODE, 'goodbye')
    })
    ws.on('error', reject)
    ws.on('close', (code) => {
      clearTimeout(timer)
      if (isPonged && code === CODE) return resolve() // the reason need not come back (RFC 6455, 5.5.1)
      reject(new Error('closed with ' + code + ' in step ' + step))
    })
  })
}

async function one (argument) {
  const at = argument.indexOf('=')
  const name = argument.slice(0, at)
  try {
    await goThrough(argument.slice(at + 1))
    console.log('OK ' + name)
  } catch (error) {
    console.log('FAIL ' + name + ' ' + error.message)
  }
}

async function main () {
  for (const argument of process.argv.slice(3)) await one(argument)
}

main()
