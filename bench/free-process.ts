/**
 * A process that runs the loops of kds in one of rows 1 to 3 when it is asked to; see used.ts. Its
 * arguments are the number of the row, and `used` if it uses everything else of kds before.
 */

import { bareAwait, kdsLoops, warmUp } from './free.ts';
import { useEverything } from './used.ts';

const [row, history] = process.argv.slice(2);
if (history === 'used') await useEverything();
const ofRow = kdsLoops[Number(row) as keyof typeof kdsLoops]();
const loops = { ...ofRow, 'a bare await': bareAwait };
// Once to compile them, and once to find how long they take.
await warmUp(loops);
const subjects = await warmUp(loops);
process.on('message', async (name) => {
  process.send?.(await subjects.find((subject) => subject.name === name)?.sample());
});
process.send?.('ready');
