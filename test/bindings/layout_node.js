// SPDX-License-Identifier: MIT
// What the Node binding declares, for layout.py.
'use strict';

const tenon = require('../../examples/bindings/node/tenon.js');
const numbers = require('../../examples/bindings/node/numbers.js');

const { koffi, structs } = tenon;

for (const [name, type] of Object.entries(structs)) {
    console.log('struct', name, koffi.sizeof(type));
    for (const [field, member] of Object.entries(type.members)) {
        console.log('field', name, field, koffi.offsetof(type, field), koffi.sizeof(member.type));
    }
}
// 64 bits are printed as C prints them.
for (const [name, value] of Object.entries(numbers)) {
    console.log('number', `TENON_${name}`, String(typeof value === 'bigint' ? BigInt.asIntN(64, value) : value));
}
