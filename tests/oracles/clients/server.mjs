// `dyno serve` as a process of its own, and a fetch that holds what comes from it against schemas.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

export class Server {
    static program;

    // Listens when it is there.
    static async start(...words) {
        const server = new Server();
        const lines = [];

        server.process = spawn(Server.program, ['serve', '--port', 'any', ...words],
            {stdio: ['ignore', 'pipe', 'inherit']});
        server.ended = once(server.process, 'exit');
        process.on('exit', () => server.process.kill('SIGKILL')); // whatever becomes of the checks
        for await (const line of createInterface({input: server.process.stdout})) {
            lines.push(line);
            if (line.startsWith('Listening on ')) {
                server.url = line.slice('Listening on '.length);
                return server;
            }
        }
        throw new Error(`no server: ${lines.join('\n')}`);
    }

    // Ask it to end, by a signal, and wait until it has: its status, or the signal's name.
    async stop(signal = 'SIGTERM') {
        this.process.kill(signal);
        const [status, by] = await this.ended;
        return by ?? status;
    }

    // The sum of all lines of /metrics that begin so.
    async metric(begin) {
        const text = await (await fetch(`${this.url}/metrics`)).text();
        return text.split('\n').filter((line) => line.startsWith(begin))
            .reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
    }

    async settle(begin, due) {
        while (await this.metric(begin) !== due) {
            await new Promise((done) => setTimeout(done, 10));
        }
    }
}

// The kinds of a path's answers: told whole, and an event of a stream.
const KINDS = {
    '/v1/chat/completions': ['CreateChatCompletionResponse', 'CreateChatCompletionStreamResponse'],
    '/v1/completions': ['CreateCompletionResponse', 'CreateCompletionResponse'],
    '/v1/responses': ['Response', 'ResponseStreamEvent'],
    '/v1/embeddings': ['CreateEmbeddingResponse'],
    '/v1/models': ['ListModelsResponse'],
};

// Numbers that were asked for as base64 (clients do that by themselves) are those of four bytes each,
// which the description does not know.
function plainVectors(body) {
    for (const each of body.data ?? []) {
        if (typeof each.embedding === 'string') {
            const bytes = Buffer.from(each.embedding, 'base64');
            each.embedding = Array.from({length: bytes.length / 4}, (_, i) => bytes.readFloatLE(4 * i));
        }
    }
    return body;
}

// Judges one response while it passes by; the client's side of it is not changed.
class Judge {
    #text = '';
    #done = false;

    constructor(path, response, hold, complain) {
        const [whole, event] = KINDS[path] ?? (path.startsWith('/v1/models/') ? ['Model'] : []);

        this.whole = response.status === 200 ? whole : 'ErrorResponse';
        this.event = response.headers.get('content-type')?.startsWith('text/event-stream') ? event : null;
        this.has_done = event !== 'ResponseStreamEvent';
        this.hold = hold;
        this.complain = complain;
    }

    #judgeEvent(part) {
        const data = part.replace(/^event: [a-z_.]+\n/, '');

        if (!data.startsWith('data: ') || data.includes('\n') || this.#done) {
            this.complain(`not one line of data, or one too many: ${part}`);
        } else if (this.has_done && data === 'data: [DONE]') {
            this.#done = true;
        } else {
            const body = JSON.parse(data.slice('data: '.length));
            this.hold(body.error && !body.type ? 'ErrorResponse' : this.event, body);
        }
    }

    push(text) {
        this.#text += text;
        if (this.event) {
            const parts = this.#text.split('\n\n');
            this.#text = parts.pop();
            parts.forEach((part) => this.#judgeEvent(part));
        }
    }

    end() {
        if (this.event && (this.#text !== '' || this.#done !== this.has_done)) {
            this.complain(`the stream ends with ${this.#text}`);
        } else if (!this.event && this.whole) {
            const body = JSON.parse(this.#text);
            this.hold(this.whole, this.whole === 'CreateEmbeddingResponse' ? plainVectors(body) : body);
        }
    }
}

// A fetch for clients that holds all answers against the schemas.
export class Witness {
    complaints = [];
    answers = []; // [{status, headers, at}] in the order in which they came

    constructor(schemas) {
        const hold = (kind, body) => this.complaints.push(...schemas.complaints(kind, body));
        const complain = (words) => this.complaints.push(words);

        this.fetch = async (input, init) => {
            const response = await fetch(input, init);
            const judge = new Judge(new URL(input.url ?? input).pathname, response, hold, complain);
            const decoder = new TextDecoder('utf-8', {fatal: true});
            const past = new TransformStream({
                transform(chunk, next) {
                    judge.push(decoder.decode(chunk, {stream: true}));
                    next.enqueue(chunk);
                },
                flush: () => judge.end(),
            });

            this.answers.push({status: response.status, headers: response.headers,
                at: performance.now()});
            return new Response(response.body?.pipeThrough(past) ?? null, response);
        };
    }

    // All that was wrong since it was asked last.
    take() {
        const complaints = this.complaints;
        this.complaints = [];
        this.answers = [];
        return complaints;
    }
}
