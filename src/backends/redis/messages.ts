/** Blockers and cycles, as the scripts report them, in errors that people read. */

import { DeadlockError, type DeadlockStep } from '../../api/errors.ts';
import { labelLengthMax } from '../../api/limits.ts';
import { modeOf, namedSetOf } from '../../api/mode.ts';
import type { NamedSet } from '../../api/sets.ts';
import { describeCycle, describeOwner } from '../../report/messages.ts';
import { cut, escaped, quote } from '../../runtime/escape.ts';
import { nameOf, readLabel, readLink, readLinks } from './names.ts';

/** As long as a name of the domain name system can be. */
const hostLengthMax = 253;

/** A client's description of itself. */
export interface About {
  readonly label?: string;
  readonly pid?: number;
  readonly host?: string;
  readonly command?: string;
}

/** Text that another client wrote may be anything. */
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

/** The blockers of a set: the lines of lua/blockers.lua. */
function describeBlockers(lines: readonly string[], epochMs: number): string {
  const blockers = lines.map((line) =>
    /^\d+$/.test(line) ? `and ${line} more` : describeBlocker(line, epochMs),
  );
  return blockers.join(', ');
}

function describeBlocker(line: string, epochMs: number): string {
  const [link = '', sinceMs, how, id, label = '', scope = '', about = ''] = line.split('\t');
  const { resource, units } = readLink(link);
  const name = quote(nameOf(resource));
  const client = describeClient(readLabel(label) ?? readLabel(scope), readAbout(about), id);
  const forMs = Math.max(0, epochMs - Number(sinceMs));
  return `${modeOf({ units })} ${name} is ${describeOwner(client, how === 'held', forMs)}`;
}

function describeClient(label: string | undefined, about: About, id: string | undefined): string {
  const known = label ?? about.label;
  const { pid, host } = about;
  const on = host === undefined ? '' : ` on ${escaped(cut(host, hostLengthMax))}`;
  const where = pid === undefined ? '' : ` (pid ${pid}${on})`;
  return `${known === undefined ? `request ${id}` : quote(known, labelLengthMax)}${where}`;
}

export function timeoutMessage(
  timeoutMs: number,
  blockers: readonly string[],
  epochMs: number,
): string {
  const why = blockers.length === 0 ? '' : `: ${describeBlockers(blockers, epochMs)}`;
  const advice = 'Wait longer; query() shows the holders and the queue';
  return `not granted within ${timeoutMs} ms${why}. ${advice}`;
}

/** A cycle, from the request on that was refused: the lines of lua/cycle.lua. */
export function deadlockError(
  links: string,
  label: string | undefined,
  lines: readonly string[],
): DeadlockError {
  const first: DeadlockStep = { id: 0, label, isHeld: false, set: namedSet(links) };
  const cycle = [first, ...lines.map(readStep)];
  return new DeadlockError(describeCycle(cycle), cycle);
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
  const parts = readLinks(links);
  return namedSetOf(parts.map((part) => ({ ...part, resource: nameOf(part.resource) })));
}
