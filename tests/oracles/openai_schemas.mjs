// The API's own description and ours, as schemas that answers are held against, with npm's ajv.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

// What may be null by the older way of saying so.
function spellOutNull(value) {
    if (value === null || typeof value !== 'object') {
        return value;
    }
    for (const key of Object.keys(value)) {
        value[key] = spellOutNull(value[key]);
    }
    if (typeof value.nullable !== 'boolean') {
        return value;
    }
    const {nullable, ...rest} = value;
    return nullable ? {anyOf: [rest, {type: 'null'}]} : rest;
}

// A kind by its name in the API's description -> its name in ours.
const OUR_NAMES = {
    CreateChatCompletionResponse: 'ChatCompletion',
    CreateChatCompletionStreamResponse: 'ChatCompletionChunk',
    CreateCompletionResponse: 'Completion',
    CreateEmbeddingResponse: 'EmbeddingList',
    ListModelsResponse: 'ModelList',
    Model: 'Model',
    ErrorResponse: 'Error',
    Response: 'Response',
    ResponseStreamEvent: 'ResponseEvent',
};

export class Schemas {
    kinds = new Map(); // how many of each were held against it

    // `npm`: a folder in whose node_modules ajv is; then the two descriptions' files.
    constructor(npm, api_path, our_path) {
        const Ajv = createRequire(join(npm, 'here.js'))('ajv/dist/2020').default;
        const options = {strict: false, allErrors: true, validateFormats: false};
        const api = JSON.parse(readFileSync(api_path, 'utf8'));
        const schemas = api.components.schemas;

        spellOutNull(schemas);
        // What the description leaves out: a chunk of completions has no reason yet, and nobody
        // knows how likely the first token of a prompt was.
        const completion = schemas.CreateCompletionResponse.properties;
        const reason = completion.choices.items.properties.finish_reason;
        reason.enum.push(null);
        reason.type = ['string', 'null'];
        const likely = completion.choices.items.properties.logprobs.anyOf[0].properties;
        likely.token_logprobs.items.type = ['number', 'null'];
        likely.top_logprobs.items.type = ['object', 'null'];
        completion.usage = {anyOf: [completion.usage, {type: 'null'}]};

        // An event's schema is found by its type, for a mistake in one of forty says nothing.
        this.events = new Map();
        for (const {$ref} of schemas.ResponseStreamEvent.anyOf) {
            const name = $ref.split('/').pop();
            this.events.set(schemas[name].properties.type.enum[0], name);
        }
        this.ajv = new Ajv(options);
        this.ajv.addSchema(api, 'api');
        this.ours = new Ajv(options); // closed: what it does not name is wrong
        this.ours.addSchema(JSON.parse(readFileSync(our_path, 'utf8')), 'ours');
    }

    // What is wrong with an answer of that kind, a sentence each.
    complaints(kind, answer) {
        const name = kind === 'ResponseStreamEvent' ? this.events.get(answer.type) : kind;
        const judges = [
            [name, this.ajv.getSchema(`api#/components/schemas/${name}`)],
            [OUR_NAMES[kind], this.ours.getSchema(`ours#/components/schemas/${OUR_NAMES[kind]}`)],
        ];

        this.kinds.set(name, (this.kinds.get(name) ?? 0) + 1);
        return judges.filter(([, judge]) => !judge(answer)).map(([whose, judge]) =>
            `${whose}: ${this.ajv.errorsText(judge.errors)}\n    ${JSON.stringify(answer)}`);
    }

    tell() {
        for (const [name, count] of this.kinds) {
            console.log(`${String(count).padStart(4)} of ${name}`);
        }
    }
}
