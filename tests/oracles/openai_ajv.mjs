// Holds the lines of oracle_openai_answers against the API's own description and against ours, with
// npm's ajv, which is found in the folder that the first argument names; then the descriptions.
import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.argv[2], 'here.js'));
const Ajv = require('ajv/dist/2020').default;
const api = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const schemas = api.components.schemas;

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
spellOutNull(schemas);

// The one thing that the description leaves out: a chunk of completions has no reason yet.
const reason = schemas.CreateCompletionResponse.properties.choices.items.properties.finish_reason;
reason.enum.push(null);
reason.type = ['string', 'null'];
schemas.CreateCompletionResponse.properties.usage = {
    anyOf: [schemas.CreateCompletionResponse.properties.usage, {type: 'null'}],
};

const ajv = new Ajv({strict: false, allErrors: true, validateFormats: false});
ajv.addSchema(api, 'api');

// An event's schema is found by its type, for a mistake in one of forty says nothing.
const events = new Map();
for (const {$ref} of schemas.ResponseStreamEvent.anyOf) {
    const name = $ref.split('/').pop();
    events.set(schemas[name].properties.type.enum[0], name);
}

// Ours is closed: what it does not name is wrong.
const ours = new Ajv({strict: false, allErrors: true, validateFormats: false});
ours.addSchema(JSON.parse(readFileSync(process.argv[4], 'utf8')), 'ours');
const our_names = {
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

const kinds = new Map();
let wrong = 0;

function check(validate, name, answer) {
    if (!validate(answer)) {
        console.log(`${name}: ${ajv.errorsText(validate.errors)}\n    ${JSON.stringify(answer)}`);
        wrong++;
    }
}

for await (const line of createInterface({input: process.stdin})) {
    const [kind, text] = line.split('\t');
    const answer = JSON.parse(text);
    const name = kind === 'ResponseStreamEvent' ? events.get(answer.type) : kind;
    kinds.set(name, (kinds.get(name) ?? 0) + 1);
    check(ajv.getSchema(`api#/components/schemas/${name}`), name, answer);
    check(ours.getSchema(`ours#/components/schemas/${our_names[kind]}`), our_names[kind], answer);
}
for (const [name, count] of kinds) {
    console.log(`${String(count).padStart(4)} of ${name}`);
}
process.exit(wrong || kinds.size === 0 ? 1 : 0);
