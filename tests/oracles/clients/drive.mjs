// Makes every check of every client; all that are wrong are told.
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {Schemas} from '../openai_schemas.mjs';
import {checks as ai_sdk} from './ai_sdk.mjs';
import {checks as langchain} from './langchain.mjs';
import {checks as openai} from './openai.mjs';
import {Server, Witness} from './server.mjs';

const [program, npm, api, ours, words] = process.argv.slice(2);
const require = createRequire(join(npm, 'here.js'));

// A package, from the folder that has them.
const load = (name) => import(pathToFileURL(require.resolve(name)));

Server.program = program;
const schemas = new Schemas(npm, api, ours);
const witness = new Witness(schemas);
let made = 0, wrong = 0;

for (const [client, list] of [openai, ai_sdk, langchain].map((of) => [of.client, of])) {
    const context = {witness, server: await Server.start(), ...await list.open(load)};

    for (const [name, check] of Object.entries(list.all)) {
        if (!`${client}: ${name}`.includes(words ?? '')) {
            continue;
        }
        const complaints = [];

        made++;
        try {
            await check(context);
        } catch (error) {
            complaints.push(error.stack);
        }
        complaints.push(...witness.take());
        if (complaints.length > 0) {
            wrong++;
            console.log(`${client}: ${name}\n${complaints.join('\n')}`);
        }
    }
    const status = await context.server.stop();
    if (status !== 0) {
        wrong++;
        console.log(`${client}: the server ended with ${status}`);
    }
}
schemas.tell();
console.log(`${made} checks, ${wrong} wrong`);
process.exit(wrong || made === 0 ? 1 : 0);
