/** What the server says of others, as errors that people read. */

import { DeadlockError, type DeadlockStep } from '../../domain/errors.ts';
import type { NamedSet } from '../../domain/sets.ts';
import { nameOf, readLabel, readLinks } from './names.ts';

/** Who a client is, as it tells of itself. */
export interface About {
  readonly label?: string;
  readonly pid?: number;
  readonly host?: string;
  readonly command?: string;
}

/** What other clients wrote is not trusted to be anything. */
export function readAbout(text: string): About {
  try {
    const { label, pid, host, command } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof label === 'string' && { label }),
      ...(typeof pid === 'number' && { pid }),
      ...(typeof host === 'string' && { host }),
      ...(typeof command === 'string' && { command }),
    };
  } catch {
    return {};
  }
}

/** Who is in the way of a set: the lines of lua/blockers.lua. */
function blockersInWords(lines: readonly string[]): string {
  const told = lines.map((line) =>
    /^\d+$/.test(line) ? `and ${line} more` : blockerInWords(line),
  );
  return told.join(', ');
}

function blockerInWords(line: string): string {
  const [link = '', sinceMs, how, id, label = '', scope = '', about = ''] = line.split('\t');
  const mode = link.startsWith('x') ? 'exclusive' : 'shared';
  const name = quote(nameOf(link.slice(1)));
  const who = whoInWords(readLabel(label) ?? readLabel(scope), readAbout(about), id);
  const forSeconds = (Math.max(0, Date.now() - Number(sinceMs)) / 1000).toFixed(1);
  return how === 'held'
    ? `${mode} ${name} is held by ${who} for ${forSeconds} s`
    : `${mode} ${name} is due to ${who}, which has waited for ${forSeconds} s`;
}

function whoInWords(label: string | undefined, about: About, id: string | undefined): string {
  const known = label ?? about.label;
  const { pid, host } = about;
  const where = pid === undefined ? '' : ` (pid ${pid}${host === undefined ? '' : ` on ${host}`})`;
  return `${known === undefined ? `request ${id}` : JSON.stringify(known)}${where}`;
}

export function timeoutInWords(timeoutMs: number, blockers: readonly string[]): string {
  const why = blockers.length === 0 ? '' : `: ${blockersInWords(blockers)}`;
  const advice = 'Wait longer, or see query() for who waits for whom';
  return `not granted within ${timeoutMs} ms${why}. ${advice}`;
}

/** A circle, from the request on that was refused: the lines of lua/circle.lua. */
export function deadlockError(
  links: string,
  label: string | undefined,
  lines: readonly string[],
): DeadlockError {
  const first: DeadlockStep = { id: 0, label, isHeld: false, set: namedSet(links) };
  const cycle = [first, ...lines.map(readStep)];
  const told = cycle.map(({ id, label: name, isHeld, set }) => {
    const whose = name === undefined ? `request ${id}` : JSON.stringify(name);
    const who = id === 0 && name === undefined ? 'this' : whose;
    return `${who} ${isHeld ? 'holding' : 'waiting for'} ${setInWords(set)}`;
  });
  return new DeadlockError(
    `this would wait for ever: ${told.join(' <- ')} <- kept by the first. ` +
      'Take both sets at once, or release what is held before asking.',
    cycle,
  );
}

function readStep(line: string): DeadlockStep {
  const [id, how, label = '', links = ''] = line.split('\t');
  return {
    id: Number(id),
    label: readLabel(label),
    isHeld: how === 'held',
    set: namedSet(links),
  };
}

export function namedSet(links: string): NamedSet {
  const all = readLinks(links);
  const namesOf = (isExclusive: boolean): readonly string[] =>
    all.filter((link) => link.isExclusive === isExclusive).map(({ keyName }) => nameOf(keyName));
  return { exclusive: namesOf(true), shared: namesOf(false) };
}

function setInWords({ exclusive, shared }: NamedSet): string {
  const parts: string[] = [];
  if (exclusive.length > 0) parts.push(`exclusive ${exclusive.map(quote).join(', ')}`);
  if (shared.length > 0) parts.push(`shared ${shared.map(quote).join(', ')}`);
  return parts.join(' and ');
}

function quote(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}
