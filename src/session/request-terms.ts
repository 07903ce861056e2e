/** The terms of a request beside its set, read once. */

import { type AcquireOptions, type RequestOptions, readOptions } from '../api/options.ts';

export const noOptions: AcquireOptions = Object.freeze({});
/** Of a request with nothing beside its set. */
export const noTerms: RequestOptions = Object.freeze(readOptions(noOptions));
/** The grants that such a request keeps. */
export const noneHeld: readonly never[] = Object.freeze([]);

/** The options, read; {@link noTerms} where they ask for nothing, which is known by identity. */
export function termsOf(options: AcquireOptions): RequestOptions {
  return options === noOptions ? noTerms : readTerms(options);
}

function readTerms(options: AcquireOptions): RequestOptions {
  const terms = readOptions(options);
  const { signal, timeoutMs, locked, holding, steal, label } = terms;
  const isUsual =
    signal === undefined &&
    timeoutMs === undefined &&
    locked === undefined &&
    holding === undefined &&
    steal === undefined &&
    label === undefined;
  return isUsual ? noTerms : terms;
}

export function labelOf(options: { label?: string } | undefined): string | undefined {
  return options === undefined ? undefined : readOptions(options).label;
}
