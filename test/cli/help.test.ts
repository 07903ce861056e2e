/** The options that `kds --help` prints are those of docs/cli.md and of the man page. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { helpOf } from '../../src/cli/help.ts';

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** Options of kds in a text: those of commands in its examples are not among them. */
function optionsIn(text: string): readonly string[] {
  const found = text.matchAll(/(?<=^|[\s,|[(`/])(--?[a-z][a-z-]*|-[a-zA-Z0-9])(?![\w-])/gm);
  return [...new Set([...found].map(([option]) => option))].sort();
}

const names = ['run', ...Object.keys(commands)];
const documents = [
  ['docs/cli.md', read('docs/cli.md')],
  ['man/kds.1', read('man/kds.1').replaceAll('\\-', '-').replaceAll('"', ' ')],
] as const;

describe.each(documents)('%s', (_, document) => {
  const documented = new Set(optionsIn(document));

  it.each(names)('has all options of kds %s --help', (name) => {
    const help = helpOf(name) ?? '';
    // The command in the example of `kds batch`.
    const options = optionsIn(help.replaceAll('cc -c a.c', 'cc'));
    expect(help).toContain(`usage: kds ${name}`);
    expect(options.filter((option) => !documented.has(option))).toEqual([]);
  });
});
