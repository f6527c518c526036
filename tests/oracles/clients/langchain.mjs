// What npm's @langchain/openai is asked to do.
import assert from 'node:assert/strict';

const model = 'austen-2m';
const question = 'Will you come to the ball?';

const all = {};

all['a chat is answered, and streams alike'] = async ({open}) => {
    const chat = open('ChatOpenAI', {maxTokens: 30});
    const whole = await chat.invoke(question);
    let pieces = '', tokens = 0;

    for await (const piece of await chat.stream(question)) {
        pieces += piece.content;
        tokens += piece.usage_metadata?.output_tokens ?? 0;
    }
    assert.ok(whole.content.length > 0);
    assert.equal(pieces, whole.content);
    assert.equal(tokens, whole.usage_metadata.output_tokens);
};

all['many are asked at once'] = async ({open}) => {
    const chat = open('ChatOpenAI', {maxTokens: 10});
    const questions = ['Good evening.', 'Who is Emma?', 'Where is Bath?', question];
    const alone = [];

    for (const each of questions) {
        alone.push((await chat.invoke(each)).content);
    }
    assert.deepEqual((await chat.batch(questions)).map((answer) => answer.content), alone);
};

all['completions of text'] = async ({open}) => {
    const complete = open('OpenAI', {maxTokens: 10});
    let pieces = '';

    for await (const piece of await complete.stream('She was')) {
        pieces += piece;
    }
    assert.equal(pieces, await complete.invoke('She was'));
};

all['responses'] = async ({open}) => {
    const answer = await open('ChatOpenAI', {maxTokens: 20, useResponsesApi: true}).invoke(question);

    assert.ok(answer.text.length > 0);
};

all['tools may be bound'] = async ({open}) => {
    const chat = open('ChatOpenAI', {maxTokens: 10}).bindTools([{
        type: 'function', function: {name: 'weather', description: 'How the weather is.',
            parameters: {type: 'object', properties: {place: {type: 'string'}}}},
    }]);

    assert.ok(Array.isArray((await chat.invoke(question)).tool_calls));
};

all['embeddings are vectors of length one'] = async ({open}) => {
    const vectors = await open('OpenAIEmbeddings', {}).embedDocuments(['a ball', 'a walk']);

    assert.equal(vectors.length, 2);
    for (const vector of vectors) {
        assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5, `of length ${Math.hypot(...vector)}`);
    }
};

all['what is wrong is raised'] = async ({open}) => {
    await assert.rejects(open('ChatOpenAI', {model: 'gpt-9'}).invoke(question), (error) => error.status === 404);
    await assert.rejects(open('ChatOpenAI', {maxTokens: 100000}).invoke(question),
        (error) => error.status === 400);
};

export const checks = {
    client: 'langchain',
    all,
    async open(load) {
        return {langchain: await load('@langchain/openai')};
    },
};

// A maker of models that ask the server that the checks share.
for (const [name, check] of Object.entries(all)) {
    all[name] = (context) => check({
        ...context,
        open: (kind, options) => new context.langchain[kind]({
            model, temperature: 0, apiKey: 'none', maxRetries: 0, ...options,
            configuration: {baseURL: `${context.server.url}/v1`, fetch: context.witness.fetch},
        }),
    });
}
