/** `kds check-trace FILE`: checks whether a run recorded by KDS_TRACE obeyed the rule. */

import { readFileSync } from 'node:fs';
import { isKdsError } from '../api/errors.ts';
import { type CheckedTrace, checkTrace } from '../inspect/trace.ts';
import { jsonText } from '../runtime/escape.ts';
import { readOnly, readOptions, UsageError } from './arguments.ts';
import { exitCode } from './exit-codes.ts';
import { escaped, report } from './messages.ts';
import { print } from './output.ts';

const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** Ends with 0 without faults, with 1 if there are some, with 65 if FILE is no valid trace. */
export async function checkTraceFile(args: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = readOptions(args, options);
  if (values.help) return undefined;
  const text = read(readOnly(positionals, 'FILE'));
  let checked: CheckedTrace;
  try {
    checked = checkTrace(text);
  } catch (error) {
    if (!isKdsError(error, 'KDS_PROTOCOL')) throw error;
    report(escaped(error.message));
    return exitCode.data;
  }
  if (values.json) {
    print(jsonText(checked));
  } else {
    for (const domain of checked.domains) {
      const { name, requestCount, grantCount, olderCount, olderCapacityCount, faults } = domain;
      const olderTexts = [
        olderCount === 0 ? '' : `, ${olderCount} requests older than the trace`,
        olderCapacityCount === 0 ? '' : `, ${olderCapacityCount} capacities older than the trace`,
      ];
      const older = olderTexts.join('');
      const counts = `${requestCount} requests, ${grantCount} grants, ${faults.length} faults`;
      print(escaped(`${name}: ${counts}${older}`));
    }
    for (const fault of checked.faults) print(escaped(fault));
  }
  return checked.faults.length === 0 ? exitCode.done : exitCode.no;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read the trace: ${(error as Error).message}`);
  }
}
