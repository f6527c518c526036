// A stub of the server: the page and the policy are the program's own, the fleet's data too; how it
// misbehaves is chosen by whoever holds it.
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';

export class Stub {
    constructor(program) {
        this.program = program;
        this.page = this.say('page');
        this.policy = this.say('policy');
        this.seconds = 900; // how long the fleet has run; one more at each answer
        this.down = false; // close connections without an answer
        this.key = null; // the API key that it wants
        this.change = (data) => data; // applied to the data before it is sent
        this.asked = []; // `since` of each poll
        this.chat = null; // (request body, response) answers a chat
        this.bodies = []; // what chats were asked
        this.server = createServer((request, response) => this.answer(request, response));
    }

    say(...what) {
        return execFileSync(this.program, what.map(String), { encoding: 'utf8', maxBuffer: 1 << 24 });
    }

    listen() {
        return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => {
            this.url = `http://127.0.0.1:${this.server.address().port}`;
            resolve();
        }));
    }

    close() {
        this.server.closeAllConnections();
        this.server.close();
    }

    answer(request, response) {
        const url = new URL(request.url, this.url);
        if (this.down) {
            request.socket.destroy();
        } else if (url.pathname === '/dashboard') {
            response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': this.policy });
            response.end(this.page);
        } else if (this.key && request.headers.authorization !== `Bearer ${this.key}`) {
            this.refuse(response, 401, 'That is no key.');
        } else if (url.pathname === '/dashboard/data') {
            this.data(url.searchParams.get('since'), response);
        } else if (url.pathname === '/v1/chat/completions' && request.method === 'POST') {
            this.takeChat(request, response);
        } else {
            this.refuse(response, 404, 'There is no such path.');
        }
    }

    refuse(response, status, message, headers = {}) {
        response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
        response.end(JSON.stringify({ error: { message, type: 'stub', param: null, code: null } }));
    }

    data(since, response) {
        const data = JSON.parse(this.say('data', this.seconds++, since));
        this.asked.push(Number(since));
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(this.change(data)));
    }

    takeChat(request, response) {
        let body = '';
        request.on('data', (bytes) => { body += bytes; });
        request.on('end', () => {
            this.bodies.push(JSON.parse(body));
            this.chat(response);
        });
    }
}

export function begin(response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
}

function sendEvent(response, value) {
    response.write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`);
}

export function sendToken(response, content, finish = null) {
    sendEvent(response, { object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, finish_reason: finish }] });
}

export function sendError(response, message) {
    sendEvent(response, { error: { message, type: 'server_error', param: null, code: null } });
}

export function finish(response, tokens, reason = 'stop') {
    sendToken(response, '', reason);
    sendEvent(response, { object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 5, completion_tokens: tokens, total_tokens: 5 + tokens } });
    sendEvent(response, '[DONE]');
    response.end();
}
