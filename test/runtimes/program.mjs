/** The smoke suite as a program of Node, Bun or Deno: prints what passed and what failed as JSON. */

import { runSmoke } from './smoke.mjs';

console.log(JSON.stringify(await runSmoke()));
