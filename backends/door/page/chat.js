/* A small chat: one conversation, streamed from /v1/chat/completions, forgotten with the page. */

const chat = { messages: [], stop: null };

function addMessage(role, text) {
    const message = make('div', 'message ' + role);
    const body = make('div', '', text), note = make('span', 'note', '');
    message.append(make('b', '', role === 'user' ? 'You' : byId('chat-model').value || 'Model'), body, note);
    byId('chat-empty').hidden = true;
    byId('chat-log').append(message);
    scrollDown(true);
    return { body, note };
}

/* Follows the text unless the reader has scrolled up. */
function scrollDown(always) {
    const log = byId('chat-log');
    if (always || log.scrollHeight - log.scrollTop - log.clientHeight < 80) log.scrollTop = log.scrollHeight;
}

function tellChat(text, isError) {
    const status = byId('chat-status');
    status.dataset.state = isError ? 'error' : '';
    setText(status, text);
}

function setBusy(busy) {
    byId('chat-send').disabled = busy;
    byId('chat-stop').disabled = !busy;
    byId('chat-clear').disabled = busy;
    byId('chat-log').setAttribute('aria-busy', String(busy));
}

/* What the server sent instead of an answer, in words. */
async function refusal(answer) {
    let message = '';
    try {
        const body = await answer.json();
        message = typeof body.error.message === 'string' ? body.error.message : '';
    } catch {
        message = '';
    }
    if (answer.status === 401) askForKey();
    const wait = answer.headers.get('retry-after');
    const word = answer.status === 401 ? 'The server wants an API key (field at the top of the page).'
        : answer.status === 429 || answer.status === 503 ? 'The server is busy' + (wait ? '; try again in ' + wait + ' s.' : '; try again soon.')
            : 'The server refused with status ' + answer.status + '.';
    return new Error(message ? word + ' It says: ' + message : word);
}

/* The data of every event of a stream of server-sent events. */
async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '', data = [];
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        rest += value;
        const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
        const lines = whole.split(/\r\n|\n|\r/);
        rest = lines.pop() + rest.slice(whole.length);
        for (const line of lines) {
            if (line === '' && data.length) {
                yield data.join('\n');
                data = [];
            } else if (line.startsWith('data:')) {
                data.push(line.slice(line[5] === ' ' ? 6 : 5));
            }
        }
    }
}

function request() {
    return {
        model: byId('chat-model').value,
        messages: chat.messages,
        stream: true,
        stream_options: { include_usage: true },
        temperature: Number(byId('chat-temperature').value),
        max_tokens: Number(byId('chat-tokens').value),
    };
}

/* Tokens/s counts from the first token on, and needs a second one. */
function speed(told) {
    const seconds = (told.last - told.first) / 1000;
    const rate = told.tokens > 1 && seconds > 0 ? plain((told.tokens - 1) / seconds) + ' tokens/s, ' : '';
    return told.tokens + (told.tokens === 1 ? ' token, ' : ' tokens, ') + rate +
        'the first after ' + milliseconds(told.first - told.start);
}

/* Take one chunk into what was told so far; an error in it is thrown. */
function takeChunk(told, chunk) {
    if (chunk.error) throw new Error('The server broke off: ' + (chunk.error.message || 'it does not say why') + '.');
    const choice = (chunk.choices || [])[0];
    const text = choice && choice.delta && choice.delta.content;
    if (typeof text === 'string' && text !== '') {
        told.last = performance.now();
        if (told.first === null) told.first = told.last;
        told.tokens++;
        told.text += text;
    }
    if (choice && choice.finish_reason) told.reason = choice.finish_reason;
    if (chunk.usage && known(chunk.usage.completion_tokens)) told.tokens = chunk.usage.completion_tokens;
}

async function stream(told, shown) {
    const answer = await fetch('v1/chat/completions', {
        method: 'POST', headers: headers({ 'Content-Type': 'application/json' }),
        body: JSON.stringify(request()), signal: chat.stop.signal,
    });
    if (!answer.ok) throw await refusal(answer);
    for await (const data of events(answer.body)) {
        if (data === '[DONE]') return;
        takeChunk(told, JSON.parse(data));
        setText(shown.body, told.text);
        if (told.first !== null) tellChat(speed(told));
        scrollDown();
    }
    throw new Error('The answer broke off before its end.');
}

function failure(error) {
    if (error.name === 'AbortError') return 'Stopped.';
    if (error instanceof SyntaxError) return 'The server sent something that is no JSON.';
    if (error instanceof TypeError) return 'The server cannot be reached, or the connection broke.';
    return error.message;
}

async function send(text) {
    const told = { text: '', tokens: 0, start: performance.now(), first: null, last: null, reason: null };
    chat.messages.push({ role: 'user', content: text });
    addMessage('user', text);
    const shown = addMessage('assistant', '');
    chat.stop = new AbortController();
    setBusy(true);
    tellChat('Waiting for the first token …');
    try {
        await stream(told, shown);
        tellChat(told.first === null ? 'The answer is empty.' : speed(told));
        if (told.reason === 'length') setText(shown.note, 'Cut at its limit of tokens.');
    } catch (error) {
        const stopped = error.name === 'AbortError';
        setText(shown.note, failure(error));
        shown.note.classList.toggle('error', !stopped);
        tellChat(stopped ? 'Stopped' + (told.first === null ? '.' : ' after ' + speed(told)) : failure(error), !stopped);
    }
    /* What was answered belongs to the conversation; a question without an answer does not. */
    if (told.text !== '') chat.messages.push({ role: 'assistant', content: told.text });
    else chat.messages.pop();
    setBusy(false);
    scrollDown();
}

function startChat() {
    const form = byId('chat-form'), input = byId('chat-input');
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        const text = input.value.trim();
        if (text === '' || byId('chat-send').disabled) return;
        input.value = '';
        send(text);
    });
    input.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            form.requestSubmit();
        }
    });
    byId('chat-stop').addEventListener('click', () => {
        chat.stop.abort();
        input.focus();
    });
    byId('chat-clear').addEventListener('click', () => {
        chat.messages = [];
        byId('chat-log').replaceChildren(byId('chat-empty'));
        byId('chat-empty').hidden = false;
        tellChat('');
        input.focus();
    });
}

startFleet();
startChat();
