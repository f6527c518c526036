// Renders the lines of template_cases.py with npm's @huggingface/jinja, which is found in the folder
// that the argument names.
import {createInterface} from 'node:readline';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.argv[2], 'here.js'));
const {Template} = require('@huggingface/jinja');

for await (const line of createInterface({input: process.stdin})) {
    const request = JSON.parse(line);
    let answer;
    try {
        answer = {text: new Template(request.template).render(request.variables)};
    } catch (mistake) {
        answer = {error: String(mistake)};
    }
    console.log(JSON.stringify(answer));
}
