// Holds the lines of oracle_openai_answers against the API's own description and against ours, with
// npm's ajv, which is found in the folder that the first argument names; then the descriptions.
import {createInterface} from 'node:readline';
import {Schemas} from './openai_schemas.mjs';

const schemas = new Schemas(...process.argv.slice(2));
let wrong = 0;

for await (const line of createInterface({input: process.stdin})) {
    const [kind, text] = line.split('\t');

    for (const complaint of schemas.complaints(kind, JSON.parse(text))) {
        console.log(complaint);
        wrong++;
    }
}
schemas.tell();
process.exit(wrong || schemas.kinds.size === 0 ? 1 : 0);
