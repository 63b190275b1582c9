// SPDX-License-Identifier: MIT
// Echoes what comes, as server or as client.
//
//   node echo.js server [PORT]
//   node echo.js client URI
//
// A text "close CODE REASON" has it close, "ping DATA" has it ping. For each connection it
// prints how it ended.
'use strict';

const net = require('net');

const tenon = require('./tenon.js');

const MAX_MESSAGE = 16 << 20;
const COPIED_MAX = 4096; // longer messages are sent without a copy

// One connection between a socket and the library.
class Echo {
    constructor(socket, config, request) {
        this.connection = new tenon.Connection(config);
        this.socket = socket;
        this.input = [];
        this.atEof = false;
        socket.on('data', (data) => {
            this.input.push(data);
            this.turn();
        });
        socket.on('end', () => {
            this.atEof = true;
            this.turn();
        });
        socket.on('drain', () => this.turn());
        socket.on('error', () => {}); // close follows
        socket.on('close', () => this.lost());
        if (request) this.connection.connect(request);
        this.turn();
    }

    lost() {
        if (this.ended) return;
        this.connection.abort(tenon.REMOTE);
        this.turn();
    }

    // Everything that can be done now.
    turn() {
        if (this.ended) return;
        this.connection.tick(performance.now());
        while (!this.ended && this.step());
        clearTimeout(this.timer);
        if (this.ended) return;
        const { deadline } = this.connection;
        if (deadline !== null) this.timer = setTimeout(() => this.turn(), Math.max(1, deadline - performance.now() + 1));
        if (this.input.length > 0) this.socket.pause();
        else this.socket.resume();
    }

    step() {
        const { connection } = this;
        this.deliver();
        if (this.ended) return false;
        const moved = this.write();
        if (connection.wants & tenon.WANTS_SHUT_WR) {
            connection.shut();
            this.socket.end();
        }
        if (connection.wants & tenon.WANTS_READ) {
            if (this.input.length > 0) {
                connection.recv(this.input.shift());
                return true;
            }
            if (this.atEof && !this.toldEof) {
                this.toldEof = true;
                connection.eof();
                return true;
            }
        }
        return connection.lendWanted() || moved || (!this.waits && (connection.wants & tenon.WANTS_NEXT) !== 0);
    }

    // While the socket is full, output waits in tx, and events for its room.
    write() {
        if (this.socket.writableNeedDrain || this.socket.destroyed) return false;
        const output = this.connection.takeOutput();
        if (output.length > 0) this.socket.write(output);
        return output.length > 0;
    }

    deliver() {
        this.waits = false;
        for (let event = this.connection.next(); event; event = this.connection.next()) {
            if (!this.handle(event)) {
                this.connection.again(); // no room now: the same event comes again
                this.waits = true;
                return;
            }
        }
    }

    // One event; false if it must come again.
    handle(event) {
        if (event.type === tenon.EV_REQUEST) this.connection.accept();
        if (event.type === tenon.EV_CLOSED) this.end(event);
        if (event.type !== tenon.EV_DATA) return true;
        try {
            this.answer(event.opcode, event.data || Buffer.alloc(0));
        } catch (error) {
            if (error.code === 'TENON_ERR_AGAIN') return false;
            if (error.code !== 'TENON_ERR_STATE') throw error; // closing: nobody waits for it
        }
        return true;
    }

    answer(opcode, data) {
        const [word, first, ...rest] = data.length < 200 ? data.toString().split(' ') : [''];
        if (opcode === tenon.TEXT && word === 'close') this.connection.close(Number(first), rest.join(' '));
        else if (opcode === tenon.TEXT && word === 'ping') this.connection.ping(first);
        else if (data.length <= COPIED_MAX) this.connection.send(opcode, data);
        else this.connection.sendRef(opcode, data);
    }

    end(event) {
        this.ended = true;
        clearTimeout(this.timer);
        this.socket.end();
        console.log(`closed ${event.code} ${event.data || ''} ${tenon.ruleName(event.rule)}`);
    }
}

function serve(port) {
    const config = new tenon.Config('server', { max_message: MAX_MESSAGE });
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => new Echo(socket, config));
    server.listen(port, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
}

function connect(uri) {
    const config = new tenon.Config('client', { max_message: MAX_MESSAGE });
    const { host, port } = tenon.parseUri(uri);
    const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true }, () => new Echo(socket, config, { uri }));
}

const [role, where] = process.argv.slice(2);
if (role === 'server') {
    serve(Number(where || 9001));
} else if (role === 'client' && where) {
    connect(where);
} else {
    console.error('usage: node echo.js server [PORT] | client URI');
    process.exitCode = 2;
}
