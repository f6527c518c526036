// What npm's openai is asked to do, and what it must make of the answers.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Server} from './server.mjs';

const model = 'austen-2m';
const messages = [{role: 'user', content: 'Will you come to the ball?'}];
const greedy = {model, temperature: 0, seed: 1};
const chat = {...greedy, messages, max_completion_tokens: 40};
const text = {...greedy, prompt: 'Elizabeth looked at Mr. Darcy, and', max_tokens: 20};
const weather = {
    type: 'function', function: {
        name: 'weather', description: 'How the weather is.', parameters: {
            type: 'object', properties: {place: {type: 'string'}}, required: ['place'],
        },
    },
};

let OpenAI;

function clientOf(witness, url, options = {}) {
    return new OpenAI({baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, fetch: witness.fetch, ...options});
}

// All that a stream has to say.
async function all(stream) {
    const chunks = [];

    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return chunks;
}

const said = (chunks, index = 0) => chunks.flatMap((chunk) => chunk.choices)
    .filter((choice) => choice.index === index).map((choice) => choice.delta?.content ?? choice.text ?? '').join('');

// A server of its own for a check, that ends with it.
async function with_server(words, check) {
    const server = await Server.start(...words);

    try {
        return await check(server);
    } finally {
        await server.stop('SIGKILL');
    }
}

// The same with a file of keys.
async function with_keys(lines, check) {
    const folder = await mkdtemp(join(tmpdir(), 'dyno-clients-'));
    const keys = join(folder, 'keys');

    writeFileSync(keys, lines.join('\n'));
    try {
        return await with_server(['--api-keys', keys], check);
    } finally {
        await rm(folder, {recursive: true});
    }
}

const all_checks = {};

all_checks['models are listed, and each is found'] = async ({client}) => {
    const page = await client.models.list();

    assert.deepEqual(page.data.map((each) => each.id), [model]);
    assert.deepEqual(await client.models.retrieve(model), page.data[0]);
    await assert.rejects(client.models.retrieve('gpt-9'), OpenAI.NotFoundError);
};

all_checks['a chat is answered'] = async ({client}) => {
    const answer = await client.chat.completions.create(chat);

    assert.equal(answer.choices.length, 1);
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert.ok(answer.choices[0].message.content.length > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.match(answer._request_id, /^req/);
};

all_checks['a stream says the same as a whole answer'] = async ({client}) => {
    const whole = await client.chat.completions.create(chat);
    const chunks = await all(await client.chat.completions.create({...chat, stream: true}));
    const first = chunks[0].choices[0];

    assert.equal(said(chunks), whole.choices[0].message.content);
    assert.equal(first.delta.role, 'assistant');
    assert.ok(first.delta.content.length > 0, 'the role comes with the first token');
    assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && chunk.id === chunks[0].id));
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean),
        [whole.choices[0].finish_reason]);
    assert.ok(chunks.every((chunk) => !chunk.usage), 'usage was not asked for');
};

all_checks['usage comes last, when it is asked for'] = async ({client}) => {
    const whole = await client.chat.completions.create(chat);
    const chunks = await all(await client.chat.completions.create(
        {...chat, stream: true, stream_options: {include_usage: true}}));
    const last = chunks.pop();

    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.completion_tokens, whole.usage.completion_tokens);
    assert.equal(last.usage.prompt_tokens, whole.usage.prompt_tokens);
    assert.ok(chunks.every((chunk) => chunk.usage === null));
};

all_checks['the stream helper puts it together again'] = async ({client}) => {
    const whole = await client.chat.completions.create(chat);
    const again = await client.chat.completions.stream(chat).finalChatCompletion();

    assert.equal(again.choices[0].message.content, whole.choices[0].message.content);
    assert.equal(again.choices[0].finish_reason, whole.choices[0].finish_reason);
};

all_checks['several choices, and what was likely'] = async ({client}) => {
    const several = {model, messages, n: 3, seed: 5, max_tokens: 8, logprobs: true, top_logprobs: 2};
    const whole = await client.chat.completions.create(several);
    const chunks = await all(await client.chat.completions.create({...several, stream: true}));

    assert.deepEqual(whole.choices.map((choice) => choice.index), [0, 1, 2]);
    for (const choice of whole.choices) {
        const tokens = choice.logprobs.content;
        const streamed = chunks.flatMap((chunk) => chunk.choices).filter((each) => each.index === choice.index)
            .flatMap((each) => each.logprobs?.content ?? []);

        assert.ok(tokens.every((token) => token.logprob <= 0 && token.top_logprobs.length === 2));
        assert.equal(said(chunks, choice.index), choice.message.content);
        assert.deepEqual(streamed, tokens);
    }
    assert.equal(new Set(whole.choices.map((choice) => choice.message.content)).size, 3);
    assert.ok(whole.usage.prompt_tokens_details.cached_tokens <= whole.usage.prompt_tokens);
};

all_checks['completions of text, of tokens, and of several prompts'] = async ({client, server}) => {
    const whole = await client.completions.create(text);
    const {tokens} = await (await fetch(`${server.url}/tokenize`,
        {method: 'POST', body: JSON.stringify({prompt: text.prompt})})).json();
    const again = await client.completions.create({...text, prompt: tokens});
    const several = await client.completions.create({...text, prompt: [text.prompt, 'She was'], echo: true});

    assert.equal(whole.choices[0].finish_reason, 'length');
    assert.equal(whole.usage.completion_tokens, 20);
    assert.equal(again.choices[0].text, whole.choices[0].text);
    assert.equal(several.choices[0].text, text.prompt + whole.choices[0].text);
    assert.ok(several.choices[1].text.startsWith('She was'));
};

all_checks['completions stream, with what was likely'] = async ({client}) => {
    const asked = {...text, logprobs: 2};
    const whole = await client.completions.create(asked);
    const chunks = await all(await client.completions.create({...asked, stream: true}));
    const likely = chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.logprobs).filter(Boolean);

    assert.equal(said(chunks), whole.choices[0].text);
    assert.deepEqual(likely.flatMap((each) => each.tokens), whole.choices[0].logprobs.tokens);
    assert.deepEqual(likely.flatMap((each) => each.text_offset), whole.choices[0].logprobs.text_offset);
};

all_checks['what was said is as likely when it is asked for as a prompt'] = async ({client}) => {
    const said = await client.completions.create({...text, logprobs: 2, echo: true});
    const asked = {...text, prompt: said.choices[0].text, logprobs: 2, echo: true, max_tokens: 0};
    const scored = await client.completions.create(asked);
    const chunks = await all(await client.completions.create({...asked, stream: true}));

    assert.equal(scored.usage.completion_tokens, 0);
    assert.equal(scored.choices[0].finish_reason, 'length');
    assert.equal(scored.choices[0].logprobs.token_logprobs[0], null);
    assert.deepEqual(scored.choices[0].logprobs, said.choices[0].logprobs);
    assert.deepEqual(chunks[0].choices[0].logprobs, scored.choices[0].logprobs);
};

all_checks['a response, whole and as events'] = async ({client}) => {
    const asked = {model, input: messages[0].content, temperature: 0, max_output_tokens: 40};
    const whole = await client.responses.create(asked);
    const events = await all(await client.responses.create({...asked, stream: true}));
    const kinds = events.map((event) => event.type);

    assert.ok(whole.output_text.length > 0);
    assert.deepEqual(events.map((event) => event.sequence_number), events.map((event, index) => index));
    assert.equal(events.filter((event) => event.type === 'response.output_text.delta')
        .map((event) => event.delta).join(''), whole.output_text);
    assert.deepEqual(kinds.filter((kind, index) => kind !== kinds[index - 1]), [
        'response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added',
        'response.output_text.delta', 'response.output_text.done', 'response.content_part.done',
        'response.output_item.done', `response.${whole.status}`]);
    assert.equal((await client.responses.stream(asked).finalResponse()).output_text, whole.output_text);
};

all_checks['a conversation of responses is sent back'] = async ({client}) => {
    const first = await client.responses.create({model, input: 'Good evening.', max_output_tokens: 20});
    const next = await client.responses.create({
        model, instructions: 'Be kind.', max_output_tokens: 20,
        input: [{role: 'user', content: 'Good evening.'}, ...first.output, {role: 'user', content: 'And you?'}],
    });

    assert.equal(next.object, 'response');
};

all_checks['embeddings of a text are the same beside others, and shorter ones too'] = async ({client}) => {
    const answer = await client.embeddings.create({model, input: ['a ball', 'a ball', 'a walk']});
    const [ball, again, walk] = answer.data.map((each) => each.embedding);
    const few = await client.embeddings.create({model, input: 'a ball', dimensions: 8});

    assert.deepEqual(ball, again);
    assert.notDeepEqual(ball, walk);
    assert.equal(few.data[0].embedding.length, 8);
    await assert.rejects(client.embeddings.create({model, input: 'a ball', dimensions: 100000}),
        OpenAI.BadRequestError);
};

all_checks['tools may be offered, and their results told'] = async ({client}) => {
    const answer = await client.chat.completions.create({...chat, tools: [weather]});
    const call = {id: 'call_1', type: 'function', function: {name: 'weather', arguments: '{"place":"Bath"}'}};
    const next = await client.chat.completions.create({
        ...chat, tools: [weather], messages: [...messages, {role: 'assistant', content: null, tool_calls: [call]},
            {role: 'tool', tool_call_id: 'call_1', content: 'rain'}],
    }).catch((error) => error);

    assert.ok(['stop', 'length', 'tool_calls'].includes(answer.choices[0].finish_reason));
    assert.ok(!(next instanceof Error) || next instanceof OpenAI.BadRequestError, next);
};

all_checks['an answer has the schema that was asked for'] = async ({client}) => {
    const schema = {
        type: 'object', additionalProperties: false, required: ['coming', 'how'],
        properties: {coming: {type: 'boolean'}, how: {enum: ['on foot', 'by coach']}},
    };
    const asked = {...chat, max_completion_tokens: 300, response_format: {type: 'json_schema', json_schema: {name: 'plan', strict: true, schema}}};
    const answer = await client.chat.completions.create(asked);
    const plan = JSON.parse(answer.choices[0].message.content);

    assert.equal(typeof plan.coming, 'boolean');
    assert.ok(schema.properties.how.enum.includes(plan.how));
    assert.equal(said(await all(await client.chat.completions.create({...asked, stream: true}))),
        answer.choices[0].message.content);
};

all_checks['a tool that must be called is called'] = async ({client}) => {
    const places = structuredClone(weather);
    places.function.parameters.properties.place = {enum: ['Bath', 'Meryton']};
    const asked = {...chat, max_completion_tokens: 300, tools: [places], tool_choice: 'required'};
    const answer = await client.chat.completions.create(asked);
    const [call] = answer.choices[0].message.tool_calls;
    const chunks = await all(await client.chat.completions.create({...asked, stream: true}));
    const parts = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);

    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    assert.equal(call.function.name, 'weather');
    assert.ok(['Bath', 'Meryton'].includes(JSON.parse(call.function.arguments).place));
    assert.equal(parts.map((part) => part.function.arguments ?? '').join(''), call.function.arguments);
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
};

all_checks['what is wrong is raised as what it is'] = async ({client}) => {
    const ask = (change) => client.chat.completions.create({...chat, ...change});

    await assert.rejects(ask({model: 'gpt-9'}), (error) => error instanceof OpenAI.NotFoundError &&
        error.code === 'model_not_found' && error.param === 'model' && /^req/.test(error.requestID));
    await assert.rejects(ask({temperature: 9}), (error) => error instanceof OpenAI.BadRequestError &&
        error.param === 'temperature' && error.type === 'invalid_request_error');
    await assert.rejects(ask({messages: []}), OpenAI.BadRequestError);
    await assert.rejects(ask({max_completion_tokens: 100000}), (error) =>
        error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded');
    await assert.rejects(ask({messages: [{role: 'user', content: 'word '.repeat(5000)}]}), (error) =>
        error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded');
    await assert.rejects(client.get('/nothing'), OpenAI.NotFoundError);
    await assert.rejects(client.chat.completions.create({...chat, stream: true, temperature: 9}),
        OpenAI.BadRequestError);
};

all_checks['keys are asked for, and how often they may ask is kept'] = async ({witness}) => {
    await with_keys(['the-key-of-alice name=alice rate=30/min'], async ({url}) => {
        const alice = clientOf(witness, url, {apiKey: 'the-key-of-alice', maxRetries: 3});
        const one = {...text, max_tokens: 1};

        await assert.rejects(clientOf(witness, url).completions.create(one), OpenAI.AuthenticationError);
        await assert.rejects(async () => {
            for (;;) { // sooner or later it is too often
                await alice.completions.create(one, {maxRetries: 0});
            }
        }, OpenAI.RateLimitError);

        const before = witness.answers.length;
        await alice.completions.create(one);
        const asked = witness.answers.slice(before);
        assert.ok(asked.length > 1 && asked.at(-1).status === 200, 'it asked again, and was let in');
        for (let i = 0; i + 1 < asked.length; i++) {
            const due = Number(asked[i].headers.get('retry-after-ms'));
            assert.equal(asked[i].status, 429);
            assert.ok(due > 0 && Number(asked[i].headers.get('retry-after')) === Math.ceil(due / 1000));
            assert.ok(asked[i + 1].at - asked[i].at > due - 2, 'it waited as long as it was told to');
        }
    });
};

all_checks['a full server says when to come again'] = async ({witness}) => {
    await with_server(['--device', 'sim', '--set', 'serve.requests_max=1'], async (server) => {
        const name = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
        const client = clientOf(witness, server.url);
        const long = {model: name, prompt: 'Once', max_tokens: 100000, stream: true};
        const stream = await client.completions.create({...long, ignore_eos: true});

        await assert.rejects(client.completions.create(long), (error) =>
            error instanceof OpenAI.RateLimitError && Number(error.headers.get('retry-after')) >= 1);
        stream.controller.abort();
        await server.settle('dyno_requests_in_flight', 0);
        const next = await client.completions.create({...long, stream: false, max_tokens: 2});
        assert.equal(next.usage.completion_tokens, 2);
    });
};

all_checks['a stream that is given up is given up'] = async ({witness}) => {
    await with_server(['--device', 'sim', '--sample-every', '10ms'], async (server) => {
        const name = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
        const stream = await clientOf(witness, server.url).completions.create(
            {model: name, prompt: 'Once', max_tokens: 100000, ignore_eos: true, stream: true});
        let chunks = 0;

        for await (const chunk of stream) {
            assert.equal(chunk.choices.length, 1);
            if (++chunks === 3) {
                break;
            }
        }
        await server.settle('dyno_requests_in_flight', 0);
        await server.settle('dyno_kv_blocks{worker="0",tier="g1",state="used"}', 0);
        assert.equal(await server.metric('dyno_requests_ended_total{outcome="cancelled_by_client"}'), 1);
    });
};

all_checks['a server that dies is an error, not an end'] = async ({witness}) => {
    const server = await Server.start('--device', 'sim');
    const name = (await (await fetch(`${server.url}/v1/models`)).json()).data[0].id;
    const client = clientOf(witness, server.url);
    const stream = await client.completions.create(
        {model: name, prompt: 'Once', max_tokens: 100000, ignore_eos: true, stream: true});

    await assert.rejects(async () => {
        for await (const chunk of stream) {
            assert.equal(chunk.choices.length, 1);
            server.process.kill('SIGKILL');
        }
    });
    await assert.rejects(client.models.list(), OpenAI.APIConnectionError);
};

export const checks = {
    client: 'openai',
    all: all_checks,
    async open(load) {
        OpenAI = (await load('openai')).default;
        OpenAI = OpenAI.OpenAI ?? OpenAI;
        return {};
    },
};

// A client of the server that most checks share.
for (const [name, check] of Object.entries(all_checks)) {
    all_checks[name] = (context) => check({...context, client: clientOf(context.witness, context.server.url)});
}
