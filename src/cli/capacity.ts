/** `kds capacity NAME`: prints the number of units of a resource, or declares it. */

import { isKdsError } from '../api/errors.ts';
import { setSizeMax } from '../api/limits.ts';
import type { Capacity, CapacitySpec } from '../api/units.ts';
import { openBrokerDomain } from '../backends/broker/index.ts';
import { jsonText } from '../runtime/escape.ts';
import { checkNameLengths, quoted, readName, readOptions, UsageError } from './arguments.ts';
import { type DomainAddress, readAddress } from './domain-address.ts';
import { exitCode } from './exit-codes.ts';
import { printable } from './messages.ts';
import { openAt } from './open-domain.ts';
import { isForPeople, print } from './output.ts';
import { isServed } from './snapshots.ts';
import { readCount } from './units-argument.ts';

const options = {
  names: { type: 'string' },
  json: { type: 'boolean' },
  domain: { type: 'string' },
  socket: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Of the JSON of a capacity. */
const capacityVersion = 1;

/** Ends with 1 if the resource has no capacity. */
export async function capacity(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const name = readName(positionals.slice(0, 1));
  const declared = readDeclared(positionals.slice(1), values.names);
  const address = readAddress(values.domain, values.socket);
  if (declared !== undefined) {
    if (values.json) throw new UsageError('--json prints a capacity: it declares none');
    await declare(name, declared, address);
    return exitCode.done;
  }
  const found = await capacityAt(address, name);
  if (values.json) print(jsonText({ version: capacityVersion, resource: name, ...json(found) }));
  else if (isForPeople) print(sentenceOf(name, found));
  else if (found !== undefined) print(lineOf(found));
  return found === undefined ? exitCode.no : exitCode.done;
}

/** Undefined if the capacity is to be printed. @throws UsageError */
function readDeclared(
  [count, ...more]: readonly string[],
  names: string | undefined,
): CapacitySpec | undefined {
  if (more.length > 0) throw new UsageError(`unexpected argument ${quoted(more[0] as string)}`);
  if (names === undefined) return count === undefined ? undefined : readCount(count, 'COUNT');
  if (count !== undefined) throw new UsageError('COUNT and --names cannot be used together');
  const list = names.split(',');
  if (list.includes('')) throw new UsageError('--names has an empty name');
  if (list.length > setSizeMax) {
    throw new UsageError(`--names has ${list.length} names, the limit is ${setSizeMax}`);
  }
  if (new Set(list).size < list.length) throw new UsageError('--names has a name twice');
  checkNameLengths(list);
  return list;
}

async function declare(name: string, spec: CapacitySpec, address: DomainAddress): Promise<void> {
  const opened = await openAt(address, { label: 'kds capacity' });
  try {
    await opened.domain.setCapacity(name, spec);
  } finally {
    await opened.close();
  }
}

/** Starts no broker: without one no resource has a capacity. */
async function capacityAt(address: DomainAddress, name: string): Promise<Capacity | undefined> {
  try {
    const opened = await openThere(address);
    try {
      return await opened.domain.capacity(name);
    } finally {
      await opened.close();
    }
  } catch (error) {
    const isAbsent = address.at === 'broker' && isKdsError(error, 'KDS_UNAVAILABLE');
    if (!isAbsent || (await isServed(address.socketPath))) throw error;
    return undefined;
  }
}

async function openThere(address: DomainAddress): ReturnType<typeof openAt> {
  if (address.at !== 'broker') return openAt(address, {});
  const domain = await openBrokerDomain({ socket: address.socketPath, start: false });
  return { domain, close: () => domain.close() };
}

function json(found: Capacity | undefined) {
  return found ?? { capacity: null };
}

function sentenceOf(name: string, found: Capacity | undefined): string {
  if (found === undefined) return `${printable(name)} has no capacity`;
  const { capacity: count, taken, waiting, names } = found;
  const sets = `${waiting} ${waiting === 1 ? 'set waits' : 'sets wait'}`;
  const list = names === undefined ? '' : `; names: ${listOf(names, ', ')}`;
  return `${printable(name)}: ${taken} of ${count} units taken, ${sets}${list}`;
}

/** For programs: capacity, taken units, waiting sets, names or `-`; separated by tabs. */
function lineOf({ capacity: count, taken, waiting, names }: Capacity): string {
  return [count, taken, waiting, names === undefined ? '-' : listOf(names, ',')].join('\t');
}

function listOf(names: readonly string[], separator: string): string {
  return names.map((name) => printable(name)).join(separator);
}
