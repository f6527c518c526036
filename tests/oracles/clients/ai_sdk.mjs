// What npm's ai with @ai-sdk/openai-compatible is asked to do.
import assert from 'node:assert/strict';

const model = 'austen-2m';
const prompt = 'Will you come to the ball?';
const greedy = {prompt, temperature: 0, maxOutputTokens: 30, maxRetries: 0};

const all = {};

all['text is generated, and streams alike'] = async ({ai, provider}) => {
    const whole = await ai.generateText({...greedy, model: provider.chatModel(model)});
    const stream = ai.streamText({...greedy, model: provider.chatModel(model)});
    let pieces = '';

    for await (const piece of stream.textStream) {
        pieces += piece;
    }
    assert.ok(whole.text.length > 0);
    assert.equal(pieces, whole.text);
    assert.equal(await stream.finishReason, whole.finishReason);
    assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
    assert.ok(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0);
};

all['completions of text'] = async ({ai, provider}) => {
    const whole = await ai.generateText({...greedy, model: provider.completionModel(model)});
    const stream = ai.streamText({...greedy, model: provider.completionModel(model)});

    assert.equal(await stream.text, whole.text);
    assert.equal(whole.finishReason, 'length');
};

all['tools may be offered'] = async ({ai, provider}) => {
    const tools = {
        weather: ai.tool({
            description: 'How the weather is.',
            inputSchema: ai.jsonSchema({type: 'object', properties: {place: {type: 'string'}}}),
        }),
    };
    const answer = await ai.generateText({...greedy, model: provider.chatModel(model), tools});

    assert.ok(['stop', 'length', 'tool-calls'].includes(answer.finishReason), answer.finishReason);
};

all['embeddings are vectors of length one'] = async ({ai, provider}) => {
    const {embeddings} = await ai.embedMany({
        model: provider.textEmbeddingModel(model), values: ['a ball', 'a walk'], maxRetries: 0,
    });

    assert.equal(embeddings.length, 2);
    for (const vector of embeddings) {
        assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5, `of length ${Math.hypot(...vector)}`);
    }
};

all['what is wrong is raised, and not asked again in vain'] = async ({ai, provider}) => {
    await assert.rejects(ai.generateText({...greedy, model: provider.chatModel('gpt-9')}), (error) =>
        ai.APICallError.isInstance(error) && error.statusCode === 404 && !error.isRetryable &&
        /gpt-9/.test(error.message));
    await assert.rejects(ai.generateText({...greedy, model: provider.chatModel(model), temperature: 9}),
        (error) => error.statusCode === 400 && /temperature/.test(error.message));
};

export const checks = {
    client: 'ai',
    all,
    async open(load) {
        return {ai: await load('ai'), compatible: await load('@ai-sdk/openai-compatible')};
    },
};

// A provider for the server that the checks share.
for (const [name, check] of Object.entries(all)) {
    all[name] = (context) => check({
        ...context,
        provider: context.compatible.createOpenAICompatible({
            name: 'dyno', baseURL: `${context.server.url}/v1`, fetch: context.witness.fetch, includeUsage: true,
        }),
    });
}
