/**
 * Requests to etcd and its answers: the JSON form of its API (v3), as its gateway has it.
 * Keys and values are bytes in base64, 64-bit numbers are strings of digits.
 */

import { ProtocolError } from '../../api/errors.ts';

/** A parsed object of an answer; nothing is known of it yet. */
export type Json = Readonly<Record<string, unknown>>;

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** How often it has been put since it was created. */
  readonly version: number;
}

/** Of a key that is removed, `value` is ''. */
export interface LogEvent {
  readonly isDelete: boolean;
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly version: number;
  readonly revision: number;
}

export type Compare = Json & { readonly target: 'CREATE' | 'MOD' | 'VALUE' };
export type Operation = Json;

export interface TxnResult {
  readonly succeeded: boolean;
  readonly revision: number;
  /** The keys of each range of the request, in order. */
  readonly ranges: readonly Found[];
}

export interface Found {
  /** How many there are, whatever the limit. */
  readonly count: number;
  readonly items: readonly KeyValue[];
}

export interface RangeResult extends Found {
  readonly revision: number;
}

export function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function fromBase64(text: unknown): string {
  return typeof text === 'string' ? Buffer.from(text, 'base64').toString('utf8') : '';
}

/** All keys that begin with it. */
export function prefixRange(prefix: string): Json {
  return { key: toBase64(prefix), range_end: toBase64(afterAll(prefix)) };
}

/** The least key beyond all that begin with this one: it ends in ASCII. */
function afterAll(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}

/** Whether a key was created by that revision; 0: whether there is none. */
export function createdAt(key: string, revision: number): Compare {
  const create_revision = String(revision);
  return { key: toBase64(key), target: 'CREATE', result: 'EQUAL', create_revision };
}

/** Whether a key was last updated by that revision. */
export function changedAt(key: string, revision: number): Compare {
  return { key: toBase64(key), target: 'MOD', result: 'EQUAL', mod_revision: String(revision) };
}

/** Whether a key is there and has that value. */
export function hasValue(key: string, value: string): Compare {
  return { key: toBase64(key), target: 'VALUE', result: 'EQUAL', value: toBase64(value) };
}

export function putOf(key: string, value: string, lease?: string): Operation {
  const put = { key: toBase64(key), value: toBase64(value) };
  return { request_put: lease === undefined ? put : { ...put, lease } };
}

export function deleteOf(key: string): Operation {
  return { request_delete_range: { key: toBase64(key) } };
}

/** The key that an operation deletes, if it does. */
export function deletedBy({ request_delete_range: range }: Operation): readonly string[] {
  return range === undefined ? [] : [fromBase64((range as Json)['key'])];
}

/** Bytes of an operation in its transaction. A deletion is listed in the chain too (batch.ts). */
export function byteCountOf(operation: Operation): number {
  const { request_put: put, request_delete_range: range } = operation;
  const { key = '', value = '' } = (put ?? range ?? {}) as Readonly<Record<string, string>>;
  const byteCount = ((key.length + value.length) * 3) / 4;
  return range === undefined ? byteCount : 2 * byteCount;
}

/** The keys without their values. */
export function rangeOf(range: Json): Operation {
  return { request_range: { ...range, keys_only: true } };
}

/** @throws ProtocolError */
export function objectIn(json: Json, name: string): Json {
  const value = json[name];
  if (typeof value === 'object' && value !== null) return value as Json;
  throw new ProtocolError(`etcd answers without ${name}: is this etcd's own JSON gateway?`);
}

/** What is left out is 0. @throws ProtocolError */
export function numberIn(json: Json, name: string): number {
  const value = Number(json[name] ?? 0);
  if (Number.isSafeInteger(value)) return value;
  throw new ProtocolError(`etcd answers with a ${name} that is no safe integer`);
}

/** What is left out is an empty list. */
export function listIn(json: Json, name: string): readonly Json[] {
  const value = json[name];
  return Array.isArray(value) ? value : [];
}

function revisionIn(json: Json): number {
  return numberIn(objectIn(json, 'header'), 'revision');
}

function keyValueIn(json: Json): KeyValue {
  return {
    key: fromBase64(json['key']),
    value: fromBase64(json['value']),
    createRevision: numberIn(json, 'create_revision'),
    modRevision: numberIn(json, 'mod_revision'),
    version: numberIn(json, 'version'),
  };
}

export function rangeIn(json: Json): RangeResult {
  return { revision: revisionIn(json), ...foundIn(json) };
}

function foundIn(json: Json): Found {
  return { count: numberIn(json, 'count'), items: listIn(json, 'kvs').map(keyValueIn) };
}

export function txnIn(json: Json): TxnResult {
  const ranges = listIn(json, 'responses').flatMap((each) => {
    const range = each['response_range'] as Json | undefined;
    return range === undefined ? [] : [foundIn(range)];
  });
  return { succeeded: json['succeeded'] === true, revision: revisionIn(json), ranges };
}

export function eventIn(json: Json): LogEvent {
  const { modRevision: revision, ...keyValue } = keyValueIn(objectIn(json, 'kv'));
  return { ...keyValue, isDelete: json['type'] === 'DELETE', revision };
}
