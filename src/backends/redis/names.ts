/**
 * Names as they stand in keys, and back. Any string of JavaScript's becomes text that is valid in
 * UTF-8, without control characters, and different for different names: what is inside the quotes
 * of its JSON, which writes lone surrogates and control characters as escapes.
 */

import { decodeUnits, encodeUnits, type Part } from '../../api/mode.ts';
import type { RemoteRef, RemoteSet } from '../../remote/resources.ts';

/** Text as JSON has it between quotes; `unescapeText` undoes it. */
function escapeText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Text that another client wrote may be anything: it is then returned as it is. */
function unescapeText(escaped: string): string {
  try {
    return JSON.parse(`"${escaped}"`) as string;
  } catch {
    return escaped;
  }
}

/** A label, if there is one: an empty label is not the same as no label. */
export function labelSent(label: string | undefined): string {
  return label === undefined ? '' : `=${escapeText(label)}`;
}

export function readLabel(sent: string): string | undefined {
  return sent === '' ? undefined : unescapeText(sent.slice(1));
}

/** The prefix of all keys of a domain. No brace in a name ends the hash tag. */
export function rootOf(domainName: string): string {
  const escaped = escapeText(domainName).replaceAll('{', '\\u007b').replaceAll('}', '\\u007d');
  return `{kds:${escaped}}:`;
}

/** The name of a resource in keys. One without a name is private to its client. */
export function keyNameOf(ref: RemoteRef, client: string): string {
  if (typeof ref === 'number') return `#${client}:${ref}`;
  const escaped = escapeText(ref);
  return escaped.startsWith('#') ? `\\u0023${escaped.slice(1)}` : escaped;
}

/** The name of a resource for people: one without a name is `#` and a number. */
export function nameOf(keyName: string): string {
  return keyName.startsWith('#') ? `#${keyName.split(':').at(-1)}` : unescapeText(keyName);
}

/** A set as the scripts take it. */
export function linksOf(set: RemoteSet, client: string): string {
  let links = '';
  for (const { resource, units } of set) {
    links += `${encodeUnits(units)}${keyNameOf(resource, client)}\n`;
  }
  return links;
}

/** Reads the `links` of a set: parts, by names as in keys. */
export function readLinks(links: string): readonly Part[] {
  return links.split('\n').slice(0, -1).map(readLink);
}

export function readLink(line: string): Part {
  return { resource: line.slice(1), units: decodeUnits(line) };
}
