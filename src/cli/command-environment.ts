/** The environment of a command that runs under a grant. */

import type { Grant } from '../api/grant.ts';
import { textOfOuterGrants } from '../api/outer-grants.ts';
import { type Unit, unitsListedMax } from '../api/units.ts';
import { quoted } from './arguments.ts';
import { CannotRunError } from './command-process.ts';
import { exitCode } from './exit-codes.ts';
import type { CommandSet, CommandUnits } from './units-argument.ts';

/** Of an outer kds, for its own command. */
const inherited = [
  ...['KDS_RECOVERED', 'KDS_RECOVERED_FILE', 'KDS_RESOURCES_FILE'],
  ...['KDS_UNITS', 'KDS_UNITS_FILE'],
];

/** Grants of all backends have it. */
interface UnitsReader {
  unitsUpTo(countMax: number): Grant['units'];
}

/**
 * `base`, with KDS_TOKEN, KDS_RESOURCES, KDS_UNDER and the variables of `-u`; KDS_UNITS if the
 * grant has units, but for those of resources of which it has more than {@link unitsListedMax};
 * KDS_RECOVERED if anything was recovered.
 *
 * @throws CannotRunError
 */
export function environmentUnder(
  grant: Grant,
  set: CommandSet,
  base: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const { token, recovered } = grant;
  const units = (grant as Grant & UnitsReader).unitsUpTo(unitsListedMax);
  const env = { ...base };
  for (const name of inherited) delete env[name];
  return {
    ...env,
    ...variablesOf(set.units, units),
    KDS_TOKEN: String(token),
    KDS_RESOURCES: resourcesText(set),
    KDS_UNDER: textOfOuterGrants(grant),
    ...(Object.keys(units).length > 0 && { KDS_UNITS: JSON.stringify(units) }),
    ...(recovered.length > 0 && { KDS_RECOVERED: JSON.stringify(recovered) }),
  };
}

function resourcesText({ exclusive, shared, units }: CommandSet): string {
  if (units.length === 0) return JSON.stringify({ exclusive, shared });
  const counts = Object.fromEntries(units.map(({ name, count }) => [name, count]));
  return JSON.stringify({ exclusive, shared, units: counts });
}

/** @throws CannotRunError */
function variablesOf(
  named: readonly CommandUnits[],
  granted: Grant['units'],
): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const { name, variable } of named) {
    if (variable === undefined) continue;
    // Of a grant that has been lost meanwhile, none.
    const units = Object.hasOwn(granted, name) ? (granted[name] as readonly Unit[]) : [];
    if (!units.every(isPlain)) {
      const what = `units of ${quoted(name)} have names with a comma, or none`;
      const message = `cannot set ${variable}: ${what}: read KDS_UNITS instead`;
      throw new CannotRunError(message, exitCode.cannotRun);
    }
    variables[variable] = units.join(',');
  }
  return variables;
}

/** Whether it is one item of a list of units, and can be in an environment at all. */
function isPlain(unit: Unit): boolean {
  return /^[^,\0]+$/.test(String(unit));
}
